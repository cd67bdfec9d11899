'use strict';

/* The part of LuCI's documented interface that the pages use, so that they can be tested without LuCI. */

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
	toArray: value => Array.isArray(value) ? value : typeof value === 'string' ? value.split(/\s+/).filter(word => word)
		: value === undefined || value === null ? [] : [ value ]
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
		loaded: {}, kept: {},
		load(name) {
			this.kept[name] ??= call('uci', 'get', { config: name }).then(reply => { this.loaded[name] = reply.values; });
			return this.kept[name];
		},
		sections(name, type) {
			return Object.values(this.loaded[name] || {}).filter(section => section['.type'] === type);
		},
		get(name, id, option) { return option ? this.loaded[name]?.[id]?.[option] : this.loaded[name]?.[id]; },
		pending: [],
		add(name, type, id) {
			this.loaded[name][id] = { '.type': type, '.name': id };
			this.pending.push([ 'add', { config: name, type: type, name: id } ]);
		},
		set(name, id, option, value) {
			this.loaded[name][id][option] = value;
			this.pending.push([ 'set', { config: name, section: id, values: { [option]: value } } ]);
		},
		unset(name, id, option) {
			if (!(option in this.loaded[name][id]))
				return;
			delete this.loaded[name][id][option];
			this.pending.push([ 'delete', { config: name, section: id, options: [ option ] } ]);
		},
		remove(name, id) {
			delete this.loaded[name][id];
			this.pending.push([ 'delete', { config: name, section: id } ]);
		},
		async save() {
			for (const [ method, params ] of this.pending.splice(0))
				await call('uci', method, params);
			this.kept = {};
			await this.load('gwha');
		}
	},
	fs: { exec: (command, params) => call('file', 'exec', { command, params }), write: (path, data, mode) => call('file', 'write', { path, data, mode }) },
	validation: {
		parseIPv4: text => /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every(part => Number(part) < 256)
			? text.split('.').map(Number) : null,
		parseIPv6(text) {
			if (!/^[0-9a-f:.]+$/i.test(text))
				return null;
			try {
				const halves = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::').map(half => half ? half.split(':') : []);
				const gap = Array(8 - halves.flat().length).fill('0');
				return (halves.length > 1 ? [ ...halves[0], ...gap, ...halves[1] ] : halves[0]).map(word => parseInt(word, 16));
			}
			catch (error) {
				return null;
			}
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

/* Below a form, LuCI offers what its view has not switched off. */
function footer(view) {
	const maps = () => Array.from(document.querySelectorAll('.cbi-map'), node => node.map);
	const save = async () => { for (const map of maps()) await map.save(); };
	const button = (kind, words, act) => E('button', { 'class': 'btn cbi-button cbi-button-' + kind, 'disabled': SETUP.readOnly ? '' : null,
		'click': () => act().catch(() => null) }, [ words ]);
	return view.handleSave === null ? [] : [ E('div', { 'class': 'cbi-page-actions' }, [
		button('apply', 'Save & Apply', async () => {
			await save();
			await call('uci', 'apply', { rollback: true, timeout: 90 });
			await call('uci', 'confirm', {});
			window.location.reload();
		}), ' ',
		button('save', 'Save', save), ' ',
		button('reset', 'Reset', () => Promise.all(maps().map(map => map.render()))) ]) ];
}

async function start(name) {
	const source = await (await fetch('/luci-static/resources/view/' + name + '.js')).text();
	const wanted = Array.from(source.matchAll(/'require ([a-z.]+)(?: as ([a-z]+))?';/g), match => [ match[1], match[2] || match[1] ]);
	const view = new Function(...wanted.map(pair => pair[1]), source)(...wanted.map(pair => modules[pair[0]]));
	const loaded = await view.load();
	document.querySelector('#view').replaceChildren(await view.render(loaded), ...footer(view));
}

window.addEventListener('load', () => start(SETUP.view));
