// Serves the views with the LuCI they run in, and answers /ubus/ as uhttpd and rpcd do.
import { createServer } from 'node:http';
import { readFileSync, existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const app = join(here, '../../luci-app/htdocs');
const rights = JSON.parse(readFileSync(join(here, '../../luci-app', 'root', 'usr/share/rpcd/acl.d/luci-app-gwha.json'))) ['luci-app-gwha'];
const TYPES = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', png: 'image/png' };

// ubus codes, and uhttpd's own.
const DENIED = { code: -32002, message: 'Access denied' };
const ABSENT = { code: -32000, message: 'Object not found' };

/* Whether the app's own rights file allows the call: a method that it forgets fails here too. */
function allowed(object, method, readOnly) {
	if (object !== 'gwha')
		return true;
	const has = part => (part.ubus.gwha || []).includes(method);
	return has(rights.read) || (!readOnly && has(rights.write));
}

/*
 * router: { status, history, ...: async params => reply; uci: {package: {section: {...}}}; readOnly; files }
 * tree: where LuCI's own files are looked for, in that order.
 */
export function serve(router, roots, page) {
	const server = createServer(async (request, response) => {
		const path = normalize(new URL(request.url, 'http://x').pathname);
		if (path.startsWith('/ubus'))
			return answer(request, response, router);
		const body = path.startsWith('/cgi-bin/') ? page(path, router) : file([ app, ...roots ], path);
		if (body === null) {
			response.writeHead(404);
			return response.end();
		}
		response.writeHead(200, { 'Content-Type': path.startsWith('/cgi-bin/') ? 'text/html; charset=utf-8'
			: TYPES[path.split('.').pop()] || 'application/octet-stream' });
		response.end(body);
	});
	return new Promise(done => server.listen(0, '127.0.0.1', () => done(server)));
}

function file(roots, path) {
	if (path === '/favicon.ico')
		return '';
	const found = roots.map(root => join(root, path)).find(existsSync);
	return found ? readFileSync(found) : null;
}

async function answer(request, response, router) {
	let text = '';
	for await (const part of request)
		text += part;
	if (router.unreachable)
		return request.socket.destroy();
	const calls = JSON.parse(text);
	const replies = await Promise.all([].concat(calls).map(call => reply(call, router)));
	response.writeHead(200, { 'Content-Type': 'application/json' });
	response.end(JSON.stringify(Array.isArray(calls) ? replies : replies[0]));
}

async function reply(call, router) {
	const envelope = { jsonrpc: '2.0', id: call.id };
	if (call.method !== 'call')
		return { ...envelope, result: {} };
	const [ , object, method, params ] = call.params;
	router.calls?.push({ object, method, params });
	if (!allowed(object, method, router.readOnly))
		return { ...envelope, error: DENIED };
	try {
		const handler = object === 'gwha' ? router.methods[method] : SYSTEM[object]?.[method];
		return handler ? { ...envelope, result: [ 0, await handler(params, router) ] } : { ...envelope, error: ABSENT };
	}
	catch (error) {
		return error.notRunning ? { ...envelope, error: ABSENT } : { ...envelope, result: [ 9 ] };
	}
}

const SYSTEM = {
	uci: {
		get: (params, router) => ({ values: router.uci[params.config] || {} }),
		add: (params, router) => {
			const name = params.name || `cfg${Object.keys(router.uci[params.config]).length}`;
			router.uci[params.config][name] = { '.type': params.type, '.name': name, '.anonymous': !params.name, ...params.values };
			return { section: name };
		},
		set: (params, router) => { Object.assign(router.uci[params.config][params.section], params.values); return {}; },
		delete: (params, router) => {
			if (params.options)
				params.options.forEach(option => delete router.uci[params.config][params.section][option]);
			else
				delete router.uci[params.config][params.section];
			return {};
		},
		changes: () => ({ changes: {} }),
		order: () => ({}),
		apply: () => ({}),
		confirm: () => ({})
	},
	file: {
		write: (params, router) => { router.files[params.path] = params.data; return {}; },
		list: () => ({ entries: [] }),
		stat: () => ({})
	},
	session: { access: (params, router) => ({ access: !router.readOnly }) },
	luci: {
		getFeatures: () => ({}), getBoardJSON: () => ({ network: {} }), getHostHints: () => ({}),
		getNetworkDevices: () => ({ 'br-lan': { name: 'br-lan', type: 1, up: true, devtype: 'bridge', bridge: true, ports: [], ipaddrs: [], ip6addrs: [], flags: { up: true }, stats: {}, link: {} } }),
		getWirelessDevices: () => ({}), getDUIDHints: () => ({})
	},
	'luci-rpc': {
		getBoardJSON: () => ({ network: {} }), getHostHints: () => ({}), getWirelessDevices: () => ({}), getDSLStatus: () => ({}),
		getNetworkDevices: () => ({})
	},
	network: { get_proto_handlers: () => ({ static: {}, dhcp: {} }) },
	'network.interface': { dump: () => ({ interface: [ { interface: 'lan', up: true, l3_device: 'br-lan', device: 'br-lan', proto: 'static', 'ipv4-address': [], 'ipv6-address': [], route: [], data: {} } ] }) }
};
