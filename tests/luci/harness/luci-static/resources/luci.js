'use strict';

/* The part of LuCI's documented interface that the status page uses, so that it can be tested without LuCI. */

const SETUP = window.harness;

window._ = words => (window.TR && window.TR[words]) || words;

String.prototype.format = function(...values) {
	return this.replace(/%(?:\.(\d+))?([dsf%])/g, (all, digits, kind) => {
		if (kind === '%')
			return '%';
		const value = values.shift();
		return kind === 'd' ? String(Math.trunc(Number(value))) : kind === 'f' ? Number(value).toFixed(digits) : String(value);
	});
};

/* As LuCI does: what stands alone is markup, what stands in a list is text. The difference is what is tested. */
function append(node, children) {
	if (Array.isArray(children))
		children.filter(child => child !== null && child !== undefined).forEach(child =>
			node.appendChild(child instanceof Node ? child : document.createTextNode(String(child))));
	else if (children instanceof Node)
		node.appendChild(children);
	else if (children !== null && children !== undefined)
		node.innerHTML = String(children);
}

window.E = (name, attributes, children) => {
	const node = document.createElement(name);
	for (const [ key, value ] of Object.entries(attributes || {})) {
		if (typeof value === 'function')
			node.addEventListener(key, value);
		else if (value !== null && value !== undefined)
			node.setAttribute(key, value);
	}
	append(node, children);
	return node;
};

window.L = {
	url: path => '/cgi-bin/luci/' + path,
	hasViewPermission: () => !SETUP.readOnly,
	toArray: value => Array.isArray(value) ? value : value === undefined || value === null ? [] : [ value ]
};

let calls = 0;

async function call(object, method, params) {
	const response = await fetch('/ubus/', { method: 'POST', body: JSON.stringify(
		{ jsonrpc: '2.0', id: ++calls, method: 'call', params: [ 'session', object, method, params ] }) });
	const reply = await response.json();
	const prefix = 'RPC call to ' + object + '/' + method + ' failed with ';
	if (reply.error)
		throw new Error(prefix + 'error ' + reply.error.code + ': ' + reply.error.message);
	if (reply.result[0] !== 0)
		throw new Error(prefix + 'ubus code ' + reply.result[0]);
	return reply.result[1];
}

const modules = {
	view: { extend: methods => methods },
	rpc: {
		declare: spec => (...values) => {
			const params = {};
			(spec.params || []).forEach((name, index) => { params[name] = values[index]; });
			return call(spec.object, spec.method, params).then(reply => {
				const key = Object.keys(spec.expect || {})[0];
				return key ? reply[key] : reply;
			});
		}
	},
	poll: { add: (act, seconds) => window.setInterval(act, (SETUP.refresh || seconds) * 1000) },
	uci: {
		loaded: {},
		load(name) {
			return call('uci', 'get', { config: name }).then(reply => { this.loaded[name] = reply.values; });
		},
		sections(name, type) {
			return Object.values(this.loaded[name] || {}).filter(section => section['.type'] === type);
		}
	},
	ui: {
		createHandlerFn: (context, handler, ...values) => event => {
			const act = typeof handler === 'string' ? context[handler] : handler;
			const button = event.currentTarget;
			button.disabled = true;
			return Promise.resolve(act.call(context, ...values, event)).finally(() => { button.disabled = false; });
		},
		showModal(title, children) {
			this.hideModal();
			const dialog = E('div', { 'id': 'modal', 'class': 'modal' }, [ E('h4', {}, [ title ]) ]);
			append(dialog, children);
			document.body.appendChild(dialog);
		},
		hideModal() {
			document.querySelectorAll('#modal').forEach(dialog => dialog.remove());
		},
		addNotification(title, content, kind) {
			const box = E('div', { 'class': 'alert-message ' + kind + ' notification' }, [ content ]);
			document.querySelector('#maincontent').insertBefore(box, document.querySelector('#view'));
		}
	}
};

async function start(name) {
	const source = await (await fetch('/luci-static/resources/view/' + name + '.js')).text();
	const wanted = Array.from(source.matchAll(/^'require ([a-z]+)';$/gm), match => match[1]);
	const view = new Function(...wanted, source)(...wanted.map(name => modules[name]));
	const loaded = await view.load();
	document.querySelector('#view').replaceChildren(await view.render(loaded));
}

start(SETUP.view);
