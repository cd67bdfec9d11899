// Serves the views as a router does, minified, with the LuCI they run in, and answers /ubus/ as uhttpd and rpcd do.
import { createServer } from 'node:http';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jsmin } from 'jsmin';

const app = join(dirname(fileURLToPath(import.meta.url)), '../../luci-app');
const rights = JSON.parse(readFileSync(join(app, 'root/usr/share/rpcd/acl.d/luci-app-gwha.json')))['luci-app-gwha'];
const TYPES = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', png: 'image/png' };

// ubus codes, and uhttpd's own.
const DENIED = { code: -32002, message: 'Access denied' };
const ABSENT = { code: -32000, message: 'Object not found' };

const isWriting = { uci: method => [ 'add', 'set', 'delete', 'order', 'rename', 'revert' ].includes(method), file: method => method === 'write' };

/* As rpcd matches a command line with one of the rights file: fnmatch(3) with a star. */
function isLike(pattern, line) {
	const [ start, ...rest ] = pattern.split('*');
	return rest.length ? line.startsWith(start) && rest[0] === '' : line === pattern;
}

/* Whether the session may make the call. For what is the app's, its own rights file decides, so that a method or a file that
 * it forgets fails here too; the rest is what every LuCI user may do. */
function allowed(object, method, params, readOnly) {
	const granted = [ rights.read, readOnly ? {} : rights.write ];
	if (object === 'gwha')
		return granted.some(part => (part.ubus?.gwha || []).includes(method));
	if (object === 'file' && method === 'write')
		return granted.some(part => (part.file?.[params.path] || []).includes('write'));
	if (object === 'file' && method === 'exec')
		return granted.some(part => Object.entries(part.file || {}).some(([ line, rights ]) => rights.includes('exec') && isLike(line, [ params.command ].concat(params.params).join(' '))));
	if (object === 'uci' && params.config === 'gwha')
		return (isWriting.uci(method) ? granted.slice(1) : granted).some(part => (part.uci || []).includes('gwha'));
	return object !== 'uci' || !isWriting.uci(method);
}

/*
 * router: see bench.mjs. `methods` replaces methods of the object gwha: {name: async params => reply}.
 * roots: where LuCI's own files are looked for, in that order.
 */
export function serve(router, roots, page) {
	const server = createServer(async (request, response) => {
		const path = normalize(new URL(request.url, 'http://x').pathname);
		if (path.startsWith('/ubus'))
			return answer(request, response, router);
		if (path.startsWith('/cgi-bin/luci/admin/uci/'))
			return apply(path.split('/').pop(), response, router);
		const body = path.startsWith('/cgi-bin/') ? page(path) : file(roots, path);
		if (body === null) {
			response.writeHead(404);
			return response.end();
		}
		response.writeHead(200, { 'Content-Type': path.startsWith('/cgi-bin/') ? 'text/html; charset=utf-8'
			: `${TYPES[path.split('.').pop()] || 'application/octet-stream'}; charset=utf-8` });
		response.end(body);
	});
	return new Promise(done => server.listen(0, '127.0.0.1', () => done(server)));
}

/* The requests with which LuCI applies what is saved. */
async function apply(step, response, router) {
	const isFirst = step === 'apply_rollback';
	if (isFirst)
		await router.uci.apply();
	response.writeHead(isFirst ? 200 : 204, { 'Content-Type': 'application/json' });
	response.end(isFirst ? '{"token":"x"}' : undefined);
}

function file(roots, path) {
	if (path === '/favicon.ico')
		return '';
	const own = join(app, 'htdocs', path);
	if (existsSync(own))
		return path.endsWith('.js') ? minified(own) : readFileSync(own);
	const found = roots.map(root => join(root, path)).find(existsSync);
	return found ? readFileSync(found) : null;
}

/* As OpenWrt's build does it. */
export function minified(path) {
	return jsmin(readFileSync(path, 'utf8')).trim();
}

async function answer(request, response, router) {
	let text = '';
	for await (const part of request)
		text += part;
	if (router.unreachable)
		return request.socket.destroy();
	const calls = JSON.parse(text);
	const replies = [];
	for (const call of [].concat(calls))
		replies.push(await reply(call, router));
	response.writeHead(200, { 'Content-Type': 'application/json' });
	response.end(JSON.stringify(Array.isArray(calls) ? replies : replies[0]));
}

async function reply(call, router) {
	const envelope = { jsonrpc: '2.0', id: call.id };
	if (call.method !== 'call')
		return { ...envelope, result: {} };
	const [ , object, method, params ] = call.params;
	router.calls.push({ object, method, params });
	if (!allowed(object, method, params, router.readOnly))
		return { ...envelope, error: DENIED };
	try {
		const handler = object === 'gwha' ? router.methods?.[method] || ((own, it) => it.lab.call(it.name, method, own))
			: object === 'uci' ? router.uci[method] : SYSTEM[object]?.[method];
		return handler ? { ...envelope, result: [ 0, await handler(params, router) ].filter(part => part !== undefined) } : { ...envelope, error: ABSENT };
	}
	catch (error) {
		if (error.ubus === undefined && !error.notRunning)
			console.error(`${object} ${method}:`, error);
		return error.notRunning ? { ...envelope, error: ABSENT } : { ...envelope, result: [ error.ubus ?? 9 ] };
	}
}

const DEVICES = { lan: { name: 'lan', type: 1, up: true, devtype: 'ethernet', ipaddrs: [], ip6addrs: [], flags: { up: true }, stats: {}, link: {} } };

/* Enough of a system for LuCI's own scripts. */
const SYSTEM = {
	file: {
		exec: (params, router) => router.lab.exec(router.name, params.params),
		write: (params, router) => {
			writeFileSync(join(router.folder, params.path.replace(/^\/etc\//, '')), params.data, { mode: params.mode });
		},
		list: () => ({ entries: [] }),
		stat: () => ({})
	},
	session: { access: (params, router) => ({ access: !(router.readOnly && params.function === 'write') }) },
	luci: { getFeatures: () => ({}) },
	'luci-rpc': {
		getBoardJSON: () => ({ network: {} }), getHostHints: () => ({}), getWirelessDevices: () => ({}), getDSLStatus: () => ({}),
		getNetworkDevices: () => DEVICES
	},
	network: { get_proto_handlers: () => ({ static: {}, dhcp: {} }) },
	'network.interface': { dump: () => ({ interface: [ 'lan', 'wan' ].map(name => ({ interface: name, up: true, l3_device: name, device: name, proto: 'static',
		'ipv4-address': [], 'ipv6-address': [], route: [], data: {} })) }) }
};
