// The status page in a real browser, with the data of two running daemons.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Lab } from './lab.mjs';
import * as bench from './bench.mjs';
import { Uci } from './uci.mjs';
import { image, program, shows } from './bench.mjs';

let lab, browser;

const router = (name, more) => bench.router(lab, name, more);
const open = (router, look, options) => bench.open(browser, 'status', router, look, options);

async function settled() {
	await lab.until('a', status => status.role === 'master' && status.health === 'healthy', 'master');
	await lab.until('b', status => status.role === 'backup' && status.health === 'healthy', 'standby');
}

before(async () => {
	browser = await bench.launch();
	lab = new Lab(program);
	lab.start('a');
	lab.start('b');
	await settled();
});

after(async () => {
	await browser?.close();
	await lab?.end();
});

test('a_master_says_that_it_serves', () => open(router('a'), async tab => {
	await shows(tab, '#gwha-verdict', 'This router serves the network.');
	await shows(tab, '#gwha-routers', 'Not known: a standby is silent');
	await shows(tab, '#gwha-instances', '192.168.1.1/24');
	await shows(tab, '#gwha-checks', 'carrier (ping)');
	await shows(tab, '#gwha-history', 'Master');
	await tab.screenshot(image('luci-status'));
}));

test('a_standby_says_who_serves', () => open(router('b'), async tab => {
	await shows(tab, '#gwha-verdict', 'This router is on standby: 192.168.1.2 serves the network.');
	await tab.screenshot(image('luci-status-phone'));
	const width = await tab.evaluate(() => document.documentElement.scrollWidth);
	assert.ok(width <= 390, `the page is ${width} pixels wide`);
}, { viewport: { width: 390, height: 844 } }));

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

test('the_role_moves_when_switch_is_pressed', async () => {
	await open(router('b'), async tab => {
		await tab.click('#gwha-switch');
		await tab.click('#gwha-confirm');
		await shows(tab, '#gwha-verdict', 'This router serves the network.');
		await shows(tab, '.notification', 'Done');
		await lab.until('a', status => status.role === 'backup', 'standby');
	});
	// A second switch right after the first may come to nothing.
	await lab.patiently(async () => {
		if ((await lab.status('a')).role !== 'master')
			await lab.order('a', [ 'switch', '--to', 'self' ]);
		assert.equal((await lab.status('a')).role, 'master');
	});
	await settled();
});

test('a_refused_switch_says_why', async () => {
	lab.link('b', 'lan', 'down');
	try {
		await lab.until('b', status => status.role === 'fault', 'faulted');
		await open(router('a'), async tab => {
			await tab.click('#gwha-switch');
			await tab.click('#gwha-confirm');
			await shows(tab, '.notification', 'Not done, and nothing has changed');
			await shows(tab, '#gwha-verdict', 'This router serves the network.');
		});
	}
	finally {
		lab.link('b', 'lan', 'up');
		await settled();
	}
});

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

test('what_was_cancelled_is_not_called', async () => {
	const quiet = router('a');
	await open(quiet, async tab => {
		await tab.click('#gwha-switch');
		await tab.click('#modal .btn >> nth=0');
		assert.equal(await tab.locator('#modal').count(), 0);
	});
	assert.ok(!quiet.calls.some(call => call.method === 'switch'));
});

test('a_lost_carrier_is_told_with_what_to_do', async () => {
	lab.carrier('down');
	try {
		await lab.until('a', status => status.tracks[0].state === 'down', 'without carrier');
		await open(router('a'), async tab => {
			await shows(tab, '#gwha-checks', 'Down');
			await shows(tab, '#gwha-warnings', 'track carrier is down');
			await shows(tab, '#gwha-verdict', 'Degraded');
		});
	}
	finally {
		lab.carrier('up');
		await settled();
	}
});

test('a_pulled_cable_is_a_fault_and_says_why', async () => {
	lab.link('b', 'lan', 'down');
	try {
		await lab.until('b', status => status.role === 'fault', 'faulted');
		await open(router('b'), async tab => {
			await shows(tab, '#gwha-verdict', 'can not serve');
			await shows(tab, '#gwha-instances', 'no carrier');
			assert.ok(await tab.isDisabled('#gwha-switch'));
		});
	}
	finally {
		lab.link('b', 'lan', 'up');
		await settled();
	}
});

test('a_stopped_daemon_is_named_and_its_return_is_noticed', () => open(router('b'), async tab => {
	await lab.stop('b');
	await shows(tab, '#gwha-down', 'gwha is not running');
	assert.ok(await tab.isDisabled('#gwha-switch'));
	lab.start('b');
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
		history: async () => poison(JSON.parse(await lab.ask('b', [ 'history', '--json' ]))),
		switch: async () => ({ done: false, error: evil })
	};
	await open(nasty, async tab => {
		await shows(tab, '#gwha-routers', '<img src=x');
		await tab.click('#gwha-switch');
		await tab.click('#gwha-confirm');
		await shows(tab, '.notification', '<img src=x');
		assert.equal(await tab.locator('#maincontent img, #maincontent script').count(), 0);
		assert.equal(await tab.evaluate(() => window.hit), undefined);
	});
});
