// What the tests of both pages share: the two routers, the browser, and a page of one router's LuCI in it.
//
// GWHA is the program (default target/release/gwha), CHROMIUM the browser. With LUCI=FOLDER, a checkout of LuCI, the
// pages run in LuCI itself with its Bootstrap theme; without, in the harness. IMAGES is where screenshots go.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { serve } from './server.mjs';
import { Uci } from './uci.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const browserPath = [ process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser' ].find(path => path && existsSync(path));
const luci = process.env.LUCI;

export const top = join(here, '../..');
export const program = resolve(process.env.GWHA || join(top, 'target/release/gwha'));
export const isReal = !!luci;

export async function launch() {
	assert.ok(browserPath, 'no chromium');
	return chromium.launch({ executablePath: browserPath, args: [ '--no-sandbox' ] });
}

/* A picture for the documentation, or for looking at. */
export function image(name) {
	const folder = process.env.IMAGES || join(top, isReal ? 'target/luci-images' : 'docs/images');
	mkdirSync(folder, { recursive: true });
	return { path: join(folder, `${name}.png`), fullPage: true };
}

/* What stands behind the LuCI of the lab's router of that name. */
export function router(lab, name, more = {}) {
	const node = lab.nodes[name];
	return {
		lab, name,
		calls: [],
		folder: node.etc,
		uci: new Uci(join(node.etc, 'config'), changed => changed.includes('gwha') && lab.reload(name)),
		...more
	};
}

function harnessPage(view, router) {
	const setup = JSON.stringify({ view, readOnly: !!router.readOnly, refresh: router.refresh || 1 });
	return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>gwha</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/luci-static/harness.css"></head>
<body><div id="maincontent"><div id="view"></div></div><script>window.harness = ${setup};</script>
<script src="/luci-static/resources/luci.js"></script>${view.includes('config') ? '<script src="/luci-static/resources/form.js"></script>' : ''}</body></html>`;
}

/* What LuCI's own templates come to. */
function luciPage(view, router, path) {
	const request = path.split('/').slice(3);
	const env = { media: '/luci-static/bootstrap', resource: '/luci-static/resources', scriptname: '/cgi-bin/luci', pathinfo: '', documentroot: '/www',
		requestpath: request, dispatchpath: request, pollinterval: router.refresh || 1, ubuspath: '/ubus/', sessionid: 'x', token: 't',
		nodespec: { satisfied: true, readonly: !!router.readOnly }, apply_rollback: 90, apply_holdoff: 1, apply_timeout: 5, apply_display: 0.5 };
	return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>gwha</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><script>document.documentElement.setAttribute('data-darkmode',
	String(matchMedia('(prefers-color-scheme: dark)').matches));</script>
<link rel="stylesheet" href="/luci-static/bootstrap/cascade.css">
<link rel="stylesheet" media="only screen and (max-device-width: 854px)" href="/luci-static/bootstrap/mobile.css">
<script src="/luci-static/resources/cbi.js"></script></head>
<body class="lang_en"><header><a class="brand" href="/">OpenWrt</a><ul class="nav" id="topmenu" style="display:none"></ul>
<div id="indicators" class="pull-right"></div></header><div id="maincontent" class="container"><div id="tabmenu" style="display:none"></div>
<script src="/luci-static/resources/luci.js"></script><script>window.TR = {}; L = new LuCI(${JSON.stringify(env)});</script>
<div id="view"><div class="spinning">Loading</div><script>L.require('ui').then(ui => ui.instantiateView('${view}'));</script></div></div></body></html>`;
}

const VIEWS = { status: { path: 'admin/status/gwha', view: 'gwha/status', ready: '#gwha-page' },
	config: { path: 'admin/services/gwha', view: 'gwha/config', ready: '.cbi-map .cbi-section' } };

// LuCI itself writes these down: a call that was refused, and a value that was.
const TOLD = [ 'RPCError: RPC call to gwha/', 'TypeError: Option "' ];

/* Opens a page, has `look` look at it, and holds that the console stayed silent. */
export async function open(browser, which, router, look, options = {}) {
	const { path, view, ready } = VIEWS[which];
	const roots = isReal ? [ 'modules/luci-base/htdocs', 'themes/luci-theme-bootstrap/htdocs' ].map(part => join(luci, part)) : [ join(here, 'harness') ];
	const server = await serve(router, roots, at => isReal ? luciPage(view, router, at) : harnessPage(view, router));
	const context = await browser.newContext({ viewport: { width: 1180, height: 800 }, ...options });
	const tab = await context.newPage();
	tab.setDefaultTimeout(15000);
	const noise = [];
	// Advice for developers aside: a password outside of a form is how LuCI has them all.
	tab.on('console', message => message.text().startsWith('[DOM]') || noise.push(message.text()));
	tab.on('pageerror', error => noise.push(error.stack));
	try {
		await tab.goto(`http://127.0.0.1:${server.address().port}/cgi-bin/luci/${path}`);
		await tab.waitForSelector(ready).catch(error => { throw new Error(`${error.message}\n${noise.join('\n')}`); });
		await look(tab).catch(async error => { if (process.env.LUCI_DEBUG) await tab.screenshot({ path: join(top, 'target/luci-images/failed.png'), fullPage: true }); throw error; });
		// A browser itself reports a request that got no answer.
		const expected = [ router.mayFail && 'Failed to load resource', ...(isReal ? TOLD : []) ].filter(start => start);
		assert.deepEqual(noise.filter(line => !expected.some(start => line.startsWith(start))), []);
	}
	finally {
		await context.close();
		server.closeAllConnections();
		server.close();
	}
}

export const shows = (tab, selector, words) => tab.waitForFunction(([ selector, words ]) => {
	const node = document.querySelector(selector);
	return node && node.textContent.includes(words);
}, [ selector, words ], { timeout: 15000 }).catch(async error => {
	throw new Error(`${selector} does not show '${words}' but '${await tab.locator(selector).allTextContents()}'`, { cause: error });
});
