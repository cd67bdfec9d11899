// The configuration page in a real browser: what is saved is a file that `gwha check` accepts and that a running daemon
// takes over, and what `gwha check` refuses can't be saved.
import { after, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG, Lab } from './lab.mjs';
import { parse, write } from './uci.mjs';
import * as bench from './bench.mjs';
import { image, program, shows, top } from './bench.mjs';

let lab, browser;

const router = (name, more) => bench.router(lab, name, more);
const open = (router, look, options) => bench.open(browser, 'config', router, look, options);
const frame = (tab, section, name) => tab.locator(`[data-field="cbid.gwha.${section}.${name}"]`);
const stored = name => readFileSync(lab.nodes[name].config, 'utf8');

const SMALLEST = `config gwha 'main'
	option enabled '1'

config instance 'lan'
	option interface 'lan'
	option vrid '51'
	list router '192.168.1.2'
	list router '192.168.1.3'
	list vip '192.168.1.1/24'
`;

/* The errors that the program finds in a file; warnings do not count. */
function check(path) {
	try {
		execFileSync(program, [ 'check', path ], { stdio: [ 'ignore', 'pipe', 'pipe' ] });
		return [];
	}
	catch (error) {
		const lines = String(error.stdout + error.stderr).split('\n').filter(line => line.startsWith('error: '));
		assert.equal(lines.length > 0, error.status !== 1, `${error.status} ${error.stdout}${error.stderr}`);
		return lines;
	}
}

/* Types into a field, item by item into a list; false if the last was not taken. */
async function enter(tab, section, name, values) {
	const row = frame(tab, section, name);
	const isList = await row.locator('.cbi-dynlist').count() > 0;
	const input = row.locator(isList ? '.add-item input[type=text]' : 'input').first();
	for (const value of [].concat(values)) {
		await input.fill(value);
		await input.press('End');
		if (isList)
			await input.press('Enter');
	}
	await input.blur();
	return !(await input.getAttribute('class') || '').includes('cbi-input-invalid');
}

async function choose(tab, section, name, value) {
	const row = frame(tab, section, name);
	if (await row.locator('select').count())
		return row.locator('select').selectOption(value);
	await row.locator('.cbi-dropdown').click();
	await row.locator(`ul:not(.preview) li[data-value="${value}"]`).click();
}

/* Opens a tab of a section: of the page itself it is `main`. */
async function turn(tab, section, name) {
	await tab.locator(`[data-section-id="${section}"]`).locator(`xpath=./ul | ./preceding-sibling::ul[1]`).locator(`li[data-tab="${name}"] a`).first().click();
}

/* Presses Save and returns what the page says against it, or null when it is saved. */
async function save(tab, router) {
	const before = router.calls.length;
	// What is saved is drawn anew.
	await tab.evaluate(() => { document.querySelector('.cbi-map').firstElementChild.isOld = true; });
	await tab.click('.cbi-page-actions .cbi-button-save');
	await tab.waitForFunction(() => document.querySelector('.modal em') || !document.querySelector('.cbi-map').firstElementChild?.isOld);
	const said = await tab.locator('.modal em').allTextContents();
	const isWritten = router.calls.slice(before).some(call => call.object === 'uci' && [ 'set', 'add', 'delete' ].includes(call.method));
	assert.ok(!said.length || !isWritten, `${said} was said, and yet it is written`);
	return said.length ? said.join() : null;
}

async function apply(tab) {
	await tab.click('.cbi-page-actions .cbi-button-apply');
	await tab.waitForEvent('load', { timeout: 20000 });
	await tab.waitForSelector('.cbi-map .cbi-section');
}

const absent = { status: () => Promise.reject(Object.assign(new Error(), { notRunning: true })) };

/* A page on a router without a daemon, for each of these files in turn. */
async function onFiles(texts, look, more) {
	const own = router('a', { methods: absent, ...more });
	own.uci.applied = () => {};
	const use = text => {
		const networks = new Set([ 'lan', 'wan', ...Array.from(text.matchAll(/(?:interface|up_on_master) +'([a-z0-9_]+)'/g), match => match[1]) ]);
		writeFileSync(join(own.folder, 'config/network'), Array.from(networks, name => `config interface '${name}'\n\toption proto 'none'\n`).join(''));
		lab.write('a', text);
		own.uci.revert({ config: 'gwha' });
	};
	use(texts[0]);
	await open(own, async tab => {
		for (const text of texts) {
			if (text !== texts[0]) {
				use(text);
				await tab.reload();
				await tab.waitForSelector('.cbi-map .cbi-section');
			}
			await look(tab, own, text);
		}
	});
}

const onFile = (text, look, more) => onFiles([ text ], look, more);

/* Checks what would be written if it were applied now. */
function wouldBe(own) {
	lab.write('b', own.uci.text('gwha'));
	return check(lab.nodes.b.config);
}

before(async () => {
	browser = await bench.launch();
	lab = await new Lab(program).open();
});

beforeEach(async () => {
	await lab.stop('a');
	await lab.stop('b');
	lab.unpair();
});

after(async () => {
	await browser?.close();
	await lab?.end();
});

test('the_smallest_setup_is_filled_in_applied_and_at_work', async () => {
	lab.write('a', '');
	const own = router('a');
	await open(own, async tab => {
		await tab.screenshot(image('luci-config'));
		await enter(tab, 'lan', 'router', [ '192.168.1.2', '192.168.1.3' ]);
		await enter(tab, 'lan', 'vip', '192.168.1.1/24');
		await apply(tab);
	});
	assert.deepEqual(parse(stored('a')), parse(SMALLEST));
	assert.deepEqual(check(lab.nodes.a.config), []);
	const status = await lab.until('a', status => status.role === 'master', 'master');
	assert.deepEqual(status.instances[0].vips, [ '192.168.1.1/24' ]);
});

test('the_file_that_is_installed_is_switched_on_with_one_click', async () => {
	lab.write('a', readFileSync(join(top, 'files/etc/config/gwha'), 'utf8'));
	await open(router('a'), async tab => {
		await frame(tab, 'main', 'enabled').locator('input[type=checkbox]').check();
		await apply(tab);
	});
	await lab.until('a', status => status.role === 'master', 'master');
});

test('a_running_daemon_takes_over_what_is_applied_and_keeps_its_role', async () => {
	lab.start('a', SMALLEST);
	const before = await lab.until('a', status => status.role === 'master', 'master');
	await open(router('a'), async tab => {
		await turn(tab, 'lan', 'advanced');
		await enter(tab, 'lan', 'advert_interval', '500');
		await apply(tab);
	});
	const after = await lab.until('a', status => status.instances[0].advert_interval_ms === 500, 'quicker');
	assert.equal(after.role, 'master');
	assert.equal(after.groups[0].epoch, before.groups[0].epoch);
});

test('what_the_daemon_rejects_is_shown_with_its_reasons', async () => {
	lab.start('a', SMALLEST);
	await lab.until('a', status => status.role === 'master', 'master');
	lab.write('a', SMALLEST.replace("vrid '51'", "vrid '<img src=x onerror=1>'"));
	lab.reload('a');
	await lab.until('a', status => status.config.state === 'rejected', 'at odds with its file');
	await open(router('a'), async tab => {
		await shows(tab, '#gwha-rejected', 'What was in force before still is.');
		await shows(tab, '#gwha-rejected', "option vrid '<img src=x onerror=1>'");
		assert.equal(await tab.locator('#gwha-rejected img').count(), 0);
	});
	assert.equal((await lab.status('a')).role, 'master');
});

test('a_standby_says_before_saving_that_the_master_needs_the_change_too', async () => {
	lab.start('a', CONFIG);
	lab.start('b', CONFIG);
	await lab.until('b', status => status.role === 'backup', 'standby');
	await open(router('b'), tab => shows(tab, '#gwha-standby', 'Make the same change on the master too'));
	const follower = router('b', { methods: { status: async () =>
		({ ...await lab.status('b'), files: [ { path: '/etc/config', state: 'in_sync', last_success: 1 } ] }) } });
	await open(follower, tab => shows(tab, '#gwha-standby', 'what you save here does not last'));
	await open(router('a'), async tab => assert.equal(await tab.locator('#gwha-standby').count(), 0));
});

test('a_generated_key_is_stored_for_the_daemon_alone_and_is_one_it_takes', async () => {
	lab.write('a', SMALLEST);
	const own = router('a');
	await open(own, async tab => {
		await turn(tab, 'main', 'sync');
		const name = tab.locator('#cbi-gwha-sync .cbi-section-create-name');
		await name.fill('peer');
		await name.press('End');
		await tab.locator('#cbi-gwha-sync .cbi-section-create .cbi-button-add').click();
		await tab.waitForSelector('[data-section-id="peer"]');
		await choose(tab, 'peer', 'instance', 'lan');
		await frame(tab, 'peer', '_generate').locator('button').click();
		assert.match(await frame(tab, 'peer', '_key').locator('input').inputValue(), /^[0-9a-f]{64}$/);
		await apply(tab);
		// It is never read back.
		assert.equal(await frame(tab, 'peer', '_key').locator('input').inputValue(), '');
	});
	const key = join(lab.nodes.a.etc, 'gwha/key');
	assert.equal(statSync(key).mode & 0o777, 0o600);
	assert.deepEqual(parse(stored('a')).find(section => section.type === 'sync'),
		{ name: 'peer', type: 'sync', anonymous: false, options: { instance: 'lan' } });
	const status = await lab.until('a', status => status.peer.address, 'looking for its peer');
	assert.ok(!status.warnings.some(warning => warning.code.startsWith('key')), JSON.stringify(status.warnings));
});

/* A router without a configuration whose daemon stands idle. */
async function bare(name) {
	rmSync(lab.nodes[name].config, { force: true });
	lab.launch(name);
	await lab.until(name, status => status.role === 'init', 'idle');
}

async function paired() {
	const isConnected = status => status.peer?.connected === true;
	await Promise.all([ 'a', 'b' ].map(name => lab.until(name, isConnected, 'connected')));
	const [ a, b ] = [ 'a', 'b' ].map(name => readFileSync(join(lab.nodes[name].etc, 'gwha/key'), 'utf8'));
	assert.equal(a, b);
	assert.equal(stored('a'), stored('b'));
	assert.deepEqual(check(lab.nodes.a.config), []);
}

test('a_line_of_the_page_typed_on_the_other_router_pairs_the_two', async () => {
	await Promise.all([ bare('a'), bare('b') ]);
	await open(router('a'), async tab => {
		await tab.click('#gwha-offer');
		await shows(tab, '#gwha-line', 'good for one router and 10 minutes');
		const line = await tab.locator('#gwha-line pre').textContent();
		assert.match(line, /^gwha pair 192[.]168[.]1[.]2 [0-9a-z-]{24}$/);
		// Whoever comes back to the page finds the same line.
		await tab.reload();
		await shows(tab, '#gwha-line', line);
		await tab.click('#gwha-offer');
		await shows(tab, '#gwha-line', line);
		await tab.screenshot({ path: join(top, 'target/luci-images/pair.png'), fullPage: true });

		const joined = await lab.exec('b', line.split(' ').slice(1));
		assert.equal(joined.code, 0, joined.stdout + joined.stderr);
		await shows(tab, '#gwha-line', 'The routers are paired');
		await paired();
		await tab.click('#gwha-line button');
		await tab.waitForSelector('.cbi-map .cbi-section');
		assert.equal(await tab.locator('#gwha-pair').count(), 0);
	});
});

test('a_line_of_the_other_router_is_typed_into_the_page', async () => {
	await Promise.all([ bare('a'), bare('b') ]);
	const { line } = JSON.parse((await lab.exec('a', [ 'pair', '--background' ])).stdout);
	await open(router('b'), async tab => {
		for (const [ wrong, words ] of [ [ line.slice(0, -1), '19 letters' ], [ line.replace(/..$/, '<b'), 'no code has' ], [ '', 'pair' ] ]) {
			await tab.fill('#gwha-typed', wrong);
			await tab.click('#gwha-join');
			await shows(tab, '#gwha-line', words);
		}
		await tab.fill('#gwha-typed', ` ${line.toUpperCase().replace('GWHA PAIR', 'gwha pair')} `);
		await tab.click('#gwha-join');
		await shows(tab, '#gwha-line', 'The routers are paired');
		await paired();
	});
});

test('a_line_that_comes_to_nothing_says_why', async () => {
	lab.write('a', 'config instance\n');
	const own = router('a', { methods: absent });
	await open(own, async tab => {
		await tab.click('#gwha-offer');
		await shows(tab, '#gwha-line', 'has errors');
	});
});

test('a_user_who_may_only_look_can_pair_nothing', async () => {
	lab.write('a', '');
	const own = router('a', { methods: absent, readOnly: true });
	await open(own, async tab => {
		for (const id of [ 'gwha-offer', 'gwha-typed', 'gwha-join' ])
			assert.ok(await tab.locator(`#${id}`).isDisabled(), id);
		assert.ok(!own.calls.some(call => call.method === 'exec'));
	});
});

test('a_user_who_may_only_look_finds_every_field_locked', async () => {
	await onFile(readFileSync(join(top, 'tests/config/good/reference.uci'), 'utf8'), async (tab, own) => {
		/* LuCI's own button beside a password only shows what was typed, of which there is nothing. */
		const fields = tab.locator('.cbi-map input:not([type=hidden]):not(.cbi-dropdown input), .cbi-map select, .cbi-map button:not([title^=Reveal])');
		assert.ok(await fields.count() > 50);
		for (const field of await fields.all())
			assert.ok(await field.isDisabled(), await field.evaluate(node => node.outerHTML));
		await tab.locator('.cbi-button-save').click({ force: true });
		assert.ok(!own.calls.some(call => call.object === 'uci' && call.method !== 'get' && call.method !== 'changes'));
	}, { readOnly: true });
});

test('the_form_has_a_field_for_every_option', async () => {
	const reference = readFileSync(join(top, 'docs/OPTIONS.md'), 'utf8');
	const file = "config gwha 'main'\nconfig instance 'instance'\nconfig group 'group'\nconfig track 'track'\nconfig sync 'sync'\n";
	await onFile(file, async tab => {
		const missing = [];
		let count = 0;
		for (const part of reference.split('\n## config ').slice(1)) {
			const section = part.startsWith('gwha') ? 'main' : part.split('\n')[0];
			for (const [ , name ] of part.matchAll(/^\| [a-z ]+ `([a-z_]+)`/gm)) {
				count++;
				if (await frame(tab, section, name).count() !== 1)
					missing.push(`${section}.${name}`);
			}
		}
		assert.ok(count > 70, `${count} options`);
		assert.deepEqual(missing, []);
	});
});

/* Every number at and beyond its limits, as the reference has them. */
test('numbers_have_the_limits_that_the_program_has', async () => {
	const reference = readFileSync(join(top, 'docs/OPTIONS.md'), 'utf8');
	const file = `${SMALLEST.replace("enabled '1'", "enabled '0'")}	option standby_gateway '192.168.1.1'
	option table '5'

config track 'track'
	option device 'wan'
	option interval '3600'
	list target '10.0.0.1'
`;
	const rows = [ [ 'instance', 'lan' ], [ 'track', 'track' ] ].flatMap(([ type, section ]) => {
		const part = reference.split(`\n## config ${type}\n`)[1].split('\n## ')[0];
		return [ ...part.matchAll(/^\| [a-z ]+ `([a-z_]+)` \|[^|]*\| ([0-9.]+)\.\.([0-9.]+)/gm) ]
			.map(([ , name, min, max ]) => ({ section, name, min: Number(min), max: Number(max) }));
	}).filter(row => row.name !== 'need'); // More than one needs more than one target.
	assert.ok(rows.length > 12, `${rows.length} numbers`);
	await onFile(file, async tab => {
		for (const { section, name, min, max } of rows) {
			for (const value of [ min, max, min - 1, max + 1, -min, '', 'x', `${max} `, '1e1', `0${min}`, '4.0005', '+9', '99999999999' ].map(String)) {
				const verdict = await frame(tab, section, name).evaluate((row, value) => {
					const input = row.querySelector('.add-item input[type=text], input');
					const before = input.value;
					input.value = value;
					input.dispatchEvent(new Event('keyup', { bubbles: true }));
					const isRefused = input.classList.contains('cbi-input-invalid');
					input.value = before;
					input.dispatchEvent(new Event('keyup', { bubbles: true }));
					return !isRefused;
				}, value);
				if (value === '')
					continue;
				const sections = parse(file);
				sections.find(it => it.name === section).options[name] = name === 'announce' ? [ value ] : value;
				lab.write('b', write(sections));
				const refused = check(lab.nodes.b.config);
				assert.equal(verdict, refused.length === 0, `${section}.${name} '${value}': the page ${verdict ? 'takes' : 'refuses'} it; ${refused}`);
			}
		}
	});
});

// What can't come up in a form, or is beyond it: the daemon says it.
const BEYOND = new RegExp('^(syntax-|everything-at-once|values-strange|too-many-|only-a-comment|empty-file|main-twice|.*-unnamed|.*name-too-long'
	+ '|.*-misspelt|version-unknown|.*switches-wrong|main-values-wrong|only-makes-a-second|only-router-of-another|sync-twice)');

test('what_the_program_refuses_is_never_saved', async () => {
	const files = readdirSync(join(top, 'tests/config/broken')).filter(name => name.endsWith('.uci') && !BEYOND.test(name));
	assert.ok(files.length > 50, `${files.length} files`);
	const saved = [];
	let count = 0;
	const texts = files.map(name => `# ${name}\n${readFileSync(join(top, 'tests/config/broken', name), 'utf8')}`);
	await onFiles(texts, async (tab, own, text) => {
		const said = await save(tab, own);
		count += said !== null;
		const refused = said === null ? wouldBe(own) : [];
		if (refused.length)
			saved.push(`${text.split('\n')[0]}: ${refused}`);
	});
	assert.deepEqual(saved, []);
	// The others are mended by what the form does not show, such as a password of version 3.
	assert.ok(count > 50, `${count} refused`);
});

test('what_the_program_accepts_is_saved_and_stays_as_it_is', async () => {
	const files = [ join(top, 'files/etc/config/gwha'), ...readdirSync(join(top, 'tests/config/good')).filter(name => name.endsWith('.uci'))
		.map(name => join(top, 'tests/config/good', name)) ].filter(path => !path.includes('no-instance-yet'));
	// What is only the default, LuCI leaves out; and it writes a list as a list, and on and off in one way.
	const defaults = { version: '3', preempt: '1', mode: 'unicast', leases: '1', log_level: 'info', type: 'ping', dhcp_on_master: '0', conntrack: '0',
		checksum: 'pseudo_header', accept_old_checksum: '0' };
	const telling = sections => sections.map(section => ({ ...section, options: Object.fromEntries(Object.entries(section.options)
		.filter(([ name, value ]) => defaults[name] !== value)
		.map(([ name, value ]) => [ name, { yes: '1', on: '1', true: '1', off: '0', no: '0' }[value] ?? (Array.isArray(value) && value.length === 1 ? value[0] : value) ]).sort()) }));
	await onFiles(files.map(path => `# ${path}\n${readFileSync(path, 'utf8')}`), async (tab, own, text) => {
		const name = text.split('\n')[0];
		assert.equal(await save(tab, own), null, name);
		assert.deepEqual(wouldBe(own), [], name);
		// A switch that was not written is.
		const before = parse(text);
		if (!before.some(section => section.type === 'gwha'))
			before.push({ name: 'main', type: 'gwha', anonymous: false, options: {} });
		before.filter(section => section.type === 'gwha').forEach(section => { section.options.enabled ??= '1'; });
		if (!name.endsWith('/warnings.uci'))
			assert.deepEqual(telling(parse(own.uci.text('gwha'))), telling(before), name);
	});
});
