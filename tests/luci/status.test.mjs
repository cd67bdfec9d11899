// The status page in a real browser, with the data of two running daemons.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG, Lab, PAIRED } from './lab.mjs';
import * as bench from './bench.mjs';
import { Uci } from './uci.mjs';
import { image, program, shows } from './bench.mjs';

let lab, browser;

const router = (name, more) => bench.router(lab, name, more);
const open = (router, look, options) => bench.open(browser, 'status', router, look, options);

/* As everything begins: the first is master, the second its standby, and they know each other. */
async function settled() {
	const isWell = status => status.health === 'healthy' && status.peer.connected;
	await lab.until('a', status => status.role === 'master' && isWell(status), 'master');
	await lab.until('b', status => status.role === 'backup' && isWell(status), 'standby');
}

/* Gives both another configuration for a while. */
async function configured(config, act) {
	const use = text => [ 'a', 'b' ].forEach(name => { lab.write(name, text); lab.reload(name); });
	use(config);
	try {
		await act();
	}
	finally {
		use(PAIRED);
		await settled();
	}
}

/* Takes something away for a while. */
async function without(take, give, act) {
	take();
	try {
		await act();
	}
	finally {
		give();
		await settled();
	}
}

const unplugged = (name, net, act) => without(() => lab.link(name, net, 'down'), () => lab.link(name, net, 'up'), act);

before(async () => {
	browser = await bench.launch();
	lab = await new Lab(program).open();
	lab.pair();
	lab.start('a', PAIRED);
	lab.start('b', PAIRED);
	await settled();
});

after(async () => {
	await browser?.close();
	await lab?.end();
});

test('a_master_says_that_it_serves_and_knows_its_standby', () => open(router('a'), async tab => {
	await shows(tab, '#gwha-verdict', 'This router serves the network.');
	await shows(tab, '#gwha-routers', 'Other router: gw-b');
	await shows(tab, '#gwha-routers', 'Standby');
	await shows(tab, '#gwha-instances', '192.168.1.1/24');
	await shows(tab, '#gwha-checks', 'carrier (ping)');
	await shows(tab, '#gwha-actions', 'address 10.0.0.4/24 wan');
	await shows(tab, '#gwha-history', 'Master gateway: ');
	await tab.screenshot(image('luci-status'));
}));

test('a_standby_says_who_serves_also_on_a_phone', () => open(router('b'), async tab => {
	await shows(tab, '#gwha-verdict', 'This router is on standby: gw-a serves the network.');
	await tab.screenshot(image('luci-status-phone'));
	const width = await tab.evaluate(() => document.documentElement.scrollWidth);
	assert.ok(width <= 390, `the page is ${width} pixels wide`);
}, { viewport: { width: 390, height: 844 }, screen: { width: 390, height: 844 }, isMobile: true }));

test('without_a_channel_the_page_tells_what_the_adverts_tell', () => configured(CONFIG, async () => {
	await lab.until('b', status => status.role === 'backup' && !status.peer.address, 'without a channel');
	await open(router('a'), async tab => {
		await shows(tab, '#gwha-routers', 'Not known: a standby is silent');
		await shows(tab, '#gwha-sync', 'Not set up');
	});
	await open(router('b'), tab => shows(tab, '#gwha-verdict', '192.168.1.2 serves the network.'));
}));

test('it_is_readable_in_the_dark', () => open(router('b'), async tab => {
	await shows(tab, '#gwha-verdict', 'standby');
	await tab.screenshot(image('luci-status-dark'));
}, { colorScheme: 'dark' }));

test('ages_tick_and_nodes_stay_between_answers', () => open(router('a', { refresh: 2 }), async tab => {
	const before = await tab.evaluate(() => {
		window.kept = document.querySelector('#gwha-instances td');
		return document.querySelector('#gwha-verdict [data-since]').textContent;
	});
	await tab.waitForTimeout(4500);
	assert.notEqual(await tab.textContent('#gwha-verdict [data-since]'), before);
	assert.ok(await tab.evaluate(() => window.kept.isConnected), 'a cell was replaced');
}));

test('a_read_only_user_sees_everything_and_can_press_nothing', () => open(router('a', { readOnly: true }), async tab => {
	await shows(tab, '#gwha-verdict', 'serves');
	for (const button of [ '#gwha-switch', '#gwha-maintenance', '#gwha-sync-now' ])
		assert.ok(await tab.isDisabled(button), button);
}));

/* Presses a button, confirms, and returns what the page says then. */
async function press(tab, button) {
	await tab.evaluate(() => document.querySelectorAll('.notification, #maincontent > .alert-message').forEach(node => node.remove()));
	await tab.click(button);
	await tab.click('#gwha-confirm');
	const note = tab.locator('.notification, #maincontent > .alert-message').first();
	await note.waitFor();
	return note.textContent();
}

test('the_role_moves_when_switch_is_pressed_and_a_hasty_second_switch_is_explained', async () => {
	await open(router('b'), async tab => {
		assert.match(await press(tab, '#gwha-switch'), /Done/);
		await shows(tab, '#gwha-verdict', 'This router serves the network.');
		await lab.until('a', status => status.role === 'backup', 'standby');
	});
	// As soon as the other one can take it back it does, and this one wants it again at once.
	const hasty = router('b', { methods: { switch: async () => {
		while (!(await lab.call('a', 'switch', { to: 'self' })).done)
			await new Promise(done => setTimeout(done, 100));
		return lab.call('b', 'switch', { to: 'self' });
	} } });
	await open(hasty, async tab => {
		const said = await press(tab, '#gwha-switch');
		assert.ok(said.includes('The routers have not settled after the last switch yet. Try again in a few seconds.'), said);
	});
	await settled();
});

test('a_refused_switch_says_why', () => unplugged('b', 'lan', async () => {
	await lab.until('b', status => status.role === 'fault', 'faulted');
	await open(router('a'), async tab => {
		const said = await press(tab, '#gwha-switch');
		assert.ok(said.includes('Not done, and nothing has changed'), said);
		await shows(tab, '#gwha-verdict', 'This router serves the network.');
	});
}));

test('maintenance_begins_and_ends', () => open(router('b'), async tab => {
	await tab.click('#gwha-maintenance');
	await tab.click('#gwha-confirm');
	await shows(tab, '#gwha-verdict', 'Maintenance');
	await shows(tab, '#gwha-warnings', 'End the maintenance');
	await shows(tab, '#gwha-maintenance', 'End maintenance');
	await tab.click('#gwha-maintenance');
	await tab.click('#gwha-confirm');
	await shows(tab, '#gwha-maintenance', 'Begin maintenance');
	await settled();
}));

test('synchronise_now_says_what_came_of_it', async () => {
	const press = async (name, outcome) => open(router(name), async tab => {
		await tab.click('#gwha-sync-now');
		await tab.click('#gwha-confirm');
		await shows(tab, bench.isReal ? '#maincontent > .alert-message' : '.notification', outcome);
	});
	await press('a', 'Done');
	await lab.stop('b');
	try {
		await lab.until('a', status => !status.peer.connected, 'alone');
		await press('a', 'Not done, and nothing has changed');
	}
	finally {
		lab.launch('b');
		await settled();
	}
});

test('what_was_cancelled_is_not_called', async () => {
	const quiet = router('a');
	await open(quiet, async tab => {
		await tab.click('#gwha-switch');
		await tab.click('.modal .btn >> nth=0');
		assert.ok(!await tab.locator('#gwha-confirm').isVisible());
	});
	assert.ok(!quiet.calls.some(call => call.method === 'switch'));
});

test('a_lost_carrier_is_told_with_what_to_do', () => without(() => lab.carrier('down'), () => lab.carrier('up'), async () => {
	await lab.until('a', status => status.tracks[0].state === 'down', 'without carrier');
	await open(router('a'), async tab => {
		await shows(tab, '#gwha-checks', 'Down');
		await shows(tab, '#gwha-checks', 'Priority -30');
		await shows(tab, '#gwha-warnings', 'track carrier is down');
		await shows(tab, '#gwha-verdict', 'Degraded');
		await tab.screenshot(image('luci-status-degraded'));
	});
}));

test('a_pulled_cable_is_a_fault_and_says_why', () => unplugged('b', 'lan', async () => {
	await lab.until('b', status => status.role === 'fault', 'faulted');
	await open(router('b'), async tab => {
		await shows(tab, '#gwha-verdict', 'can not serve');
		await shows(tab, '#gwha-instances', 'no carrier');
		await shows(tab, '#gwha-routers', 'Held back by');
		assert.ok(await tab.isDisabled('#gwha-switch'));
	});
}));

test('a_faulted_router_that_serves_for_want_of_a_better_is_critical', async () => {
	await lab.stop('b');
	lab.link('a', 'wan', 'down');
	try {
		await lab.until('a', status => status.health === 'critical' && status.role === 'master', 'the last resort');
		await open(router('a'), async tab => {
			await shows(tab, '#gwha-verdict', 'Critical');
			await shows(tab, '#gwha-verdict', 'master for want of a better router');
			await shows(tab, '#gwha-warnings', 'Repair what is named here');
		});
	}
	finally {
		lab.link('a', 'wan', 'up');
		await lab.until('a', status => status.groups[0].priority === 100, 'sound again');
		lab.start('b', PAIRED);
		await settled();
	}
});

test('groups_of_different_roles_are_told_apart', () => configured(PAIRED.replace(/config group[^]*?\n\n/, ''), async () => {
	lab.link('a', 'wan', 'down');
	try {
		await lab.until('a', status => status.role === 'mixed', 'mixed');
		await open(router('a'), async tab => {
			await shows(tab, '#gwha-verdict', 'The groups of this router have different roles.');
			assert.equal(await tab.locator('#gwha-groups .tr').count(), 3);
			assert.ok(await tab.isDisabled('#gwha-switch'));
		});
	}
	finally {
		lab.link('a', 'wan', 'up');
	}
}));

test('a_wrong_key_is_told_on_the_page_with_what_to_do', async () => {
	const restart = async () => { await lab.stop('b'); lab.launch('b'); };
	lab.key(lab.nodes.b, 'a5');
	await restart();
	try {
		await lab.until('a', status => status.warnings.some(warning => warning.code === 'peer_key'), 'at odds about the key');
		await open(router('a'), async tab => {
			await shows(tab, '#gwha-warnings', 'Give both routers the same key');
			await shows(tab, '#gwha-routers', 'Not connected');
		});
	}
	finally {
		lab.pair();
		await restart();
		await settled();
	}
});

test('leases_that_cannot_be_read_are_a_failure_with_its_reason', () => configured(`${PAIRED}\toption lease_file '/etc/gwha/leases'\n`, async () => {
	const file = join(lab.nodes.a.etc, 'gwha/leases');
	mkdirSync(file);
	try {
		await lab.until('a', status => status.leases.last_error, 'without its leases');
		await open(router('a'), async tab => {
			await shows(tab, '#gwha-sync', 'Failed');
			await shows(tab, '#gwha-sync', '/etc/gwha/leases');
			await shows(tab, '#gwha-warnings', 'leases');
		});
	}
	finally {
		rmdirSync(file);
	}
}));

test('a_file_that_follows_its_edit_that_is_kept_and_one_that_is_refused_are_shown', () => configured(`${PAIRED}\tlist file '/etc/hosts'\n\tlist file '/etc/config/firewall'\n`, async () => {
	const of = (name, path) => join(lab.nodes[name].etc, path);
	const row = (status, path) => (status.files || []).find(file => file.path === path) || {};
	writeFileSync(of('a', 'hosts'), '127.0.0.1 localhost\n');
	try {
		// In sync it is also as long as neither has it.
		await lab.until('b', status => existsSync(of('b', 'hosts')) && row(status, '/etc/hosts').state === 'in_sync', 'with the file of the master');
		assert.equal(readFileSync(of('b', 'hosts'), 'utf8'), '127.0.0.1 localhost\n');
		writeFileSync(of('b', 'hosts'), '127.0.0.1 mine\n');
		writeFileSync(of('a', 'config/firewall'), 'config zone\n\toption name \'lan\n');
		await lab.until('b', status => (row(status, '/etc/hosts').asides || []).length === 1 && row(status, '/etc/config/firewall').state === 'failed', 'at odds');
		await open(router('b'), async tab => {
			const rows = async () => (await tab.locator('#gwha-sync .tr').allTextContents()).slice(1);
			await shows(tab, '#gwha-sync', 'aside/%etc%hosts.1');
			assert.ok((await rows()).some(it => /firewall.*Failed.*line|firewall.*Failed.*:\d/.test(it)), (await rows()).join('\n'));
			await shows(tab, '#gwha-warnings', 'Compare what is kept aside');
		});
	}
	finally {
		for (const name of [ 'a', 'b' ])
			for (const path of [ 'hosts', 'config/firewall', 'gwha/aside' ])
				rmSync(of(name, path), { recursive: true, force: true });
	}
}));

/* What takes hours to come about. */
test('what_failed_to_be_shared_is_a_failure_with_its_age_and_reason', () => open(router('b', { methods: { status: async () => ({ ...await lab.status('b'),
	leases: { count: 12, peer_count: 14, pending: 2, last_success: 3700, last_error: 'the other router gave no answer' },
	files: [ { path: '/etc/config/dhcp', state: 'in_sync', last_success: 59 }, { path: '/etc/config/firewall', state: 'differs' },
		{ path: '/etc/dnsmasq.d', state: 'pending', last_success: 86400 }, { path: '/etc/hosts', state: 'failed', last_error: 'no space left on device' } ]
}) } }), async tab => {
	await shows(tab, '#gwha-sync', 'DHCP leases: 12 here, 14 there');
	const rows = (await tab.locator('#gwha-sync .tr').allTextContents()).slice(1);
	assert.equal(rows.length, 5);
	assert.match(rows[0], /Failed.*1 h 1 min ago.*the other router gave no answer/);
	assert.match(rows[1], /dhcp.*In sync.*59 s ago/);
	assert.match(rows[2], /firewall.*Differs.*Never/);
	assert.match(rows[3], /On its way.*1 d 0 h ago/);
	assert.match(rows[4], /Failed.*Never.*no space left on device/);
	assert.ok(!await tab.isDisabled('#gwha-sync-now'));
}));

test('a_stopped_daemon_is_named_and_its_return_is_noticed', () => open(router('b'), async tab => {
	await lab.stop('b');
	await shows(tab, '#gwha-down', 'gwha is not running');
	assert.ok(await tab.isDisabled('#gwha-switch'));
	lab.start('b', PAIRED);
	await shows(tab, '#gwha-verdict', 'standby');
	assert.equal(await tab.locator('#gwha-down').count(), 0);
	await settled();
}));

test('without_configuration_it_leads_to_the_form', async () => {
	const absent = () => Promise.reject(Object.assign(new Error(), { notRunning: true }));
	const empty = router('a', { uci: new Uci(lab.dir), methods: { status: absent } });
	await open(empty, tab => shows(tab, '#gwha-unconfigured a', 'Open the configuration'));
});

test('while_the_router_does_not_answer_the_last_state_keeps_its_age', async () => {
	const cut = router('a', { mayFail: true });
	await open(cut, async tab => {
		await shows(tab, '#gwha-verdict', 'serves');
		cut.unreachable = true;
		await shows(tab, '#gwha-unreachable', 'No answer from this router');
		await shows(tab, '#gwha-page', 'What follows was true');
		cut.unreachable = false;
		await tab.waitForSelector('#gwha-unreachable', { state: 'detached' });
	});
});

test('text_from_the_network_can_not_become_markup', async () => {
	const evil = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>';
	const poison = value => typeof value === 'string' ? (/^[a-z_]+$/.test(value) ? value : evil)
		: Array.isArray(value) ? value.map(poison)
			: value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([ key, it ]) => [ key, poison(it) ])) : value;
	const nasty = router('b');
	nasty.methods = {
		status: async () => ({ ...poison(await lab.status('b')),
			node: evil, cause: evil, version: evil,
			warnings: [ { code: evil, message: evil }, { code: 'no_master', message: evil } ],
			peer: { name: evil, address: evil, connected: true, role: evil, version: evil, since: 1 },
			leases: { count: 1, last_error: evil }, files: [ { path: evil, state: evil, last_error: evil } ],
			actions: [ { kind: evil, name: evil, wanted: evil, observed: evil, error: evil, retry_in: 3 } ] }),
		history: async () => poison(await lab.call('b', 'history', {})),
		switch: async () => ({ done: false, error: evil })
	};
	await open(nasty, async tab => {
		await shows(tab, '#gwha-routers', '<img src=x');
		await tab.click('#gwha-switch');
		await tab.click('#gwha-confirm');
		await shows(tab, bench.isReal ? '#maincontent > .alert-message' : '.notification', '<img src=x');
		assert.equal(await tab.locator('#gwha-page :is(img, script), .alert-message :is(img, script), .modal :is(img, script)').count(), 0);
		assert.equal(await tab.evaluate(() => window.hit), undefined);
	});
});
