// What the pages cost a router: the daemon's time for a poll, and bytes. docs/BENCHMARKS.md has the figures.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Lab, PAIRED } from './lab.mjs';
import { program, top } from './bench.mjs';
import { minified } from './server.mjs';

const POLLS = 1000;

/* The daemon's time on the processor in ms, its own and the kernel's for it; the clock has ticks of 10 ms. */
function spent(pid) {
	const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
	return (Number(fields[11]) + Number(fields[12])) * 10;
}

test('a_poll_costs_the_daemon_less_than_2_ms', async t => {
	const lab = await new Lab(program).open();
	try {
		lab.pair();
		lab.start('a', PAIRED);
		lab.start('b', PAIRED);
		await lab.until('a', status => status.role === 'master' && status.peer.connected, 'master');
		const { pid } = lab.nodes.a.child;
		const idle = spent(pid);
		const began = performance.now();
		await new Promise(done => setTimeout(done, 2000));
		const share = (spent(pid) - idle) / (performance.now() - began);
		const before = spent(pid);
		const start = performance.now();
		for (let poll = 0; poll < POLLS; poll++) {
			await lab.call('a', 'status');
			await lab.call('a', 'history', { limit: 30 });
		}
		const each = (spent(pid) - before - share * (performance.now() - start)) / POLLS;
		t.diagnostic(`a poll (status and history): ${each.toFixed(2)} ms of the daemon`);
		assert.ok(each < 2, `${each} ms`);
	}
	finally {
		await lab.end();
	}
});

test('the_pages_weigh_little', t => {
	const app = join(top, 'luci-app');
	const pages = [ 'status', 'config' ].map(name => join(app, `htdocs/luci-static/resources/view/gwha/${name}.js`));
	const sizes = pages.map(path => ({ name: path.split('/').pop(), source: statSync(path).size, small: minified(path).length,
		packed: gzipSync(minified(path), { level: 9 }).length }));
	for (const { name, source, small, packed } of sizes)
		t.diagnostic(`${name}: ${source} bytes, minified ${small}, compressed ${packed}`);
	const po = statSync(join(app, 'po/de/gwha.po')).size;
	t.diagnostic(`German: ${po} bytes of po`);
	assert.ok(sizes.reduce((sum, size) => sum + size.packed, 0) < 20_000);
});
