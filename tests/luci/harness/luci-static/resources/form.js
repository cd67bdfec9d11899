'use strict';

/*
 * The part of LuCI's documented form library that the configuration page uses: the same rules for when a value is
 * checked, hidden, written and removed, and the same classes and ids, so that the tests also run in LuCI itself.
 */

const children = (node, wanted) => Array.from(node.querySelectorAll(wanted));

/* Has `check` ask about a node's value on these events; what it says is kept in the widget. */
function validated(widget, node, optional, check, events) {
	const ask = () => {
		if (!node.isConnected)
			return true;
		const value = node.value || '';
		const verdict = value === '' && !optional ? 'Expecting: non-empty value' : check(value);
		widget.error = verdict === true ? null : String(verdict);
		node.classList.toggle('cbi-input-invalid', verdict !== true);
		if (verdict === true)
			node.removeAttribute('data-tooltip');
		else
			node.setAttribute('data-tooltip', widget.error);
		return verdict === true;
	};
	events.forEach(event => node.addEventListener(event, ask));
	return ask;
}

function changed(node) {
	node.dispatchEvent(new CustomEvent('widget-change', { bubbles: true }));
}

/* --- widgets -------------------------------------------------------------------- */

function textField(id, value, option, isOptional, check) {
	const input = E('input', { 'id': 'widget.' + id, 'type': option.password ? 'password' : 'text', 'value': value || '',
		'placeholder': option.placeholder, 'disabled': option.isLocked() });
	const widget = { node: E('div', { 'id': id }, [ input ]), getValue: () => input.value };
	widget.setValue = text => { input.value = text; changed(widget.node); };
	widget.validate = validated(widget, input, isOptional, check, [ 'keyup', 'blur' ]);
	input.addEventListener('change', () => changed(widget.node));
	return widget;
}

function select(id, value, option, isOptional, check) {
	const node = E('select', { 'id': 'widget.' + id, 'disabled': option.isLocked() });
	if (isOptional && !option.keylist.includes(''))
		node.appendChild(E('option', { 'value': '' }, [ '-- Please choose --' ]));
	option.keylist.forEach((key, at) => node.appendChild(E('option', { 'value': key }, [ option.vallist[at] ])));
	node.value = value || '';
	const widget = { node: E('div', { 'id': id }, [ node ]), getValue: () => node.value };
	widget.validate = validated(widget, node, isOptional, check, [ 'change', 'blur' ]);
	node.addEventListener('change', () => changed(widget.node));
	return widget;
}

function checkbox(id, value, option, check) {
	const input = E('input', { 'id': 'widget.' + id, 'type': 'checkbox', 'disabled': option.isLocked() });
	input.checked = value === option.enabled;
	const widget = { node: E('div', { 'id': id, 'class': 'cbi-checkbox' }, [ input ]) };
	widget.getValue = () => input.checked ? option.enabled : option.disabled;
	widget.validate = validated(widget, input, true, () => check(widget.getValue()), [ 'click', 'blur' ]);
	input.addEventListener('change', () => changed(widget.node));
	return widget;
}

/* Opens on a click; then one of its items is chosen. */
function dropdown(id, values, choices, option, isMultiple, check) {
	const list = E('ul', {}, Object.keys(choices).map(key => E('li', { 'data-value': key }, [ choices[key] ])));
	const node = E('div', { 'id': id, 'class': 'cbi-dropdown', 'tabindex': '0' }, [ list ]);
	values.forEach(value => children(list, 'li').filter(item => item.dataset.value === value)
		.forEach(item => item.setAttribute('selected', '')));
	const widget = { node: node };
	widget.getValue = () => {
		const chosen = children(list, '[selected]').map(item => item.dataset.value);
		return isMultiple ? chosen : chosen[0] || '';
	};
	widget.validate = validated(widget, node, true, () => check(isMultiple ? widget.getValue().join(' ') : widget.getValue()), []);
	node.addEventListener('click', event => {
		if (option.isLocked())
			return;
		const item = event.target.closest('li');
		if (!node.hasAttribute('open') || !item)
			return node.toggleAttribute('open');
		if (!isMultiple)
			children(list, '[selected]').forEach(other => other.removeAttribute('selected'));
		item.toggleAttribute('selected', !isMultiple || !item.hasAttribute('selected'));
		if (!isMultiple)
			node.removeAttribute('open');
		widget.validate();
		changed(node);
	});
	return widget;
}

function dynamicList(id, values, option, check) {
	const input = E('input', { 'type': 'text', 'placeholder': option.placeholder, 'disabled': option.isLocked() });
	const row = E('div', { 'class': 'add-item' }, [ input ]);
	const node = E('div', { 'id': id, 'class': 'cbi-dynlist' }, [ row ]);
	const widget = { node: node };
	const items = () => children(node, '.item > input[type=hidden]').map(item => item.value);
	const insert = value => {
		const item = E('div', { 'class': 'item', 'tabindex': '0' }, [ E('span', {}, [ value ]), E('input', { 'type': 'hidden', 'value': value }) ]);
		if (!items().includes(value))
			node.insertBefore(item, row);
	};
	const settle = () => { widget.validate(); changed(node); };
	const take = () => {
		if (input.value && !input.classList.contains('cbi-input-invalid')) {
			insert(input.value);
			input.value = '';
			settle();
		}
	};
	values.forEach(insert);
	widget.getValue = () => {
		const pending = input.value.trim() && !input.classList.contains('cbi-input-invalid') ? [ input.value ] : [];
		return items().concat(pending.filter(value => !items().includes(value)));
	};
	validated(widget, input, true, check, [ 'keyup', 'blur' ]);
	// The list itself has no value: it is asked about as a whole.
	widget.validate = validated(widget, node, true, check, []);
	node.addEventListener('keydown', event => {
		if (event.key === 'Enter')
			take();
		else if ([ 'Delete', 'Backspace' ].includes(event.key) && event.target.closest('.item')) {
			event.target.closest('.item').remove();
			settle();
		}
	});
	if (option.keylist.length) {
		const choices = Object.fromEntries(option.keylist.map((key, at) => [ key, option.vallist[at] ]));
		const box = dropdown(null, [], choices, option, false, () => true);
		box.node.addEventListener('widget-change', event => {
			event.stopPropagation();
			const value = box.getValue();
			children(box.node, '[selected]').forEach(item => item.removeAttribute('selected'));
			insert(value);
			settle();
		});
		input.replaceWith(box.node);
	}
	else
		row.appendChild(E('div', { 'class': 'btn cbi-button cbi-button-add', 'click': take }, [ '+' ]));
	return widget;
}

/* --- options ----------------------------------------------------------------------- */

function isEqual(one, other) {
	if (other instanceof RegExp)
		return one !== null && one !== undefined && other.test(one);
	return JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
}

class Value {
	constructor(section, option, title, description) {
		Object.assign(this, { section, option, title, description, map: section.map, deps: [], keylist: [], vallist: [], rmempty: true,
			optional: false, default: null, values: {}, widgets: {}, tab: null });
	}
	super(name, values) { return Object.getPrototypeOf(this)[name].apply(this, values); }
	value(key, words) { this.keylist.push(String(key)); this.vallist.push(words ?? String(key)); }
	depends(field, wanted) { this.deps.push(typeof field === 'string' ? { [field]: wanted } : field); }
	cbid(id) { return `cbid.${this.map.config}.${id}.${this.option}`; }
	isLocked() { return this.map.readonly || null; }
	load(id) { return modules.uci.get(this.map.config, id, this.option); }
	cfgvalue(id) { return this.values[id]; }
	validate() { return true; }
	getUIElement(id) { return this.map.root?.querySelector(`[data-field="${this.cbid(id)}"]`) ? this.widgets[id] : null; }
	formvalue(id) { return this.getUIElement(id)?.getValue() ?? null; }
	isValid(id) { return !this.getUIElement(id)?.error; }
	frame(id) { return this.map.root?.querySelector(`[data-field="${this.cbid(id)}"]`); }
	isActive(id) { return !!this.frame(id) && !this.frame(id).classList.contains('hidden'); }
	write(id, value) { modules.uci.set(this.map.config, id, this.option, value); }
	remove(id) { modules.uci.unset(this.map.config, id, this.option); }
	checker(id) { return value => this.validate(id, value); }

	/* Any of the conditions will do; of one, every part must hold. */
	isWanted(id) {
		return !this.deps.length || this.deps.some(condition => Object.entries(condition).every(([ name, wanted ]) => {
			const found = this.map.lookupOption(name, id);
			return isEqual(found && found[0].isActive(id) ? found[0].formvalue(id) : null, wanted);
		}));
	}

	checkDepends(id) {
		const frame = this.frame(id);
		const isWanted = this.isWanted(id);
		const isNew = frame.classList.contains('hidden') === isWanted;
		frame.classList.toggle('hidden', !isWanted);
		if (isWanted)
			this.widgets[id]?.validate?.();
		return isNew;
	}

	widget(id, value) {
		return textField(this.cbid(id), value, this, this.optional || this.rmempty, this.checker(id));
	}

	async render(id) {
		this.values[id] = await this.load(id);
		const widget = this.widgets[id] = this.widget(id, this.values[id] ?? this.default);
		const frame = E('div', { 'class': 'cbi-value', 'data-name': this.option, 'data-field': this.cbid(id),
			'id': `cbi-${this.map.config}-${id}-${this.option}` }, [
			E('label', { 'class': 'cbi-value-title' }, [ this.title ]),
			E('div', { 'class': 'cbi-value-field' }, [ widget.node,
				...(this.description ? [ E('div', { 'class': 'cbi-value-description' }, [ this.description ]) ] : []) ]) ]);
		frame.addEventListener('widget-change', () => this.map.checkDepends());
		return frame;
	}

	parse(id) {
		if (!this.isActive(id))
			return this.remove(id);
		if (!this.isValid(id))
			throw new TypeError(`Option "${this.title}" contains an invalid input value. ${this.widgets[id].error}`);
		const value = this.formvalue(id);
		const isNothing = value === null || value === '' || (Array.isArray(value) && !value.length);
		if (isNothing || (value === this.default && (this.optional || this.rmempty))) {
			if (!this.rmempty && !this.optional)
				throw new TypeError(`Option "${this.title}" must not be empty.`);
			return this.remove(id);
		}
		return isEqual(this.cfgvalue(id), value) ? null : this.write(id, value);
	}
}

class Flag extends Value {
	constructor(...args) { super(...args); Object.assign(this, { enabled: '1', disabled: '0', default: '0' }); }
	widget(id, value) { return checkbox(this.cbid(id), value, this, this.checker(id)); }
	parse(id) {
		if (!this.isActive(id))
			return this.remove(id);
		if (!this.isValid(id))
			throw new TypeError(`Option "${this.title}" contains an invalid input value. ${this.widgets[id].error}`);
		const value = this.formvalue(id);
		return value === this.default && (this.optional || this.rmempty) ? this.remove(id) : this.write(id, value);
	}
}

class ListValue extends Value {
	widget(id, value) { return select(this.cbid(id), value, this, this.optional, this.checker(id)); }
}

class DynamicList extends Value {
	widget(id, value) { return dynamicList(this.cbid(id), L.toArray(value), this, this.checker(id)); }
}

class Button extends Value {
	widget(id) {
		const button = E('button', { 'class': 'cbi-button cbi-button-' + this.inputstyle, 'disabled': this.isLocked(),
			'click': event => this.onclick(event, id) }, [ this.inputtitle ]);
		return { node: E('output', {}, [ button ]), getValue: () => null };
	}
	parse() {}
}

class NetworkSelect extends ListValue {
	async load(id) {
		await modules.uci.load('network');
		this.networks = modules.uci.sections('network', 'interface').map(section => section['.name']);
		return super.load(id);
	}
	widget(id, value) {
		const none = !this.multiple && (this.rmempty || this.optional) ? { '': 'unspecified' } : {};
		const choices = Object.assign(none, Object.fromEntries(this.networks.map(name => [ name, name ])));
		return dropdown(this.cbid(id), L.toArray(value), choices, this, !!this.multiple, this.checker(id));
	}
}

class SectionValue extends Value {
	constructor(section, option, Type, ...args) { super(section, option); this.subsection = new Type(this.map, ...args); }
	async render(id) {
		const node = await this.subsection.render();
		return E('div', { 'class': 'cbi-value', 'data-field': this.cbid(id) }, [ node ]);
	}
	checkDepends() { return this.subsection.checkDepends(); }
	parse() { return this.subsection.parse(); }
}

/* --- sections and the map ------------------------------------------------------------ */

class Section {
	constructor(map, type, title, description) { Object.assign(this, { map, type, title, description, children: [], tabs: [] }); }
	tab(name, title, description) { this.tabs.push({ name, title, description }); }
	option(Type, ...args) { const option = new Type(this, ...args); this.children.push(option); return option; }
	taboption(tab, Type, ...args) { return Object.assign(this.option(Type, ...args), { tab }); }
	rendered() { return this.ids().filter(id => this.map.root.querySelector(`[data-section-id="${id}"]`)); }
	checkDepends() { return this.rendered().flatMap(id => this.children.map(option => option.checkDepends(id))).some(isNew => isNew); }
	async parse() { for (const id of this.rendered()) for (const option of this.children) await option.parse(id); }

	async fields(id) {
		const node = E('div', { 'class': 'cbi-section-node', 'data-section-id': id, 'id': `cbi-${this.map.config}-${id}` });
		const rows = await Promise.all(this.children.map(option => option.render(id)));
		if (!this.tabs.length) {
			rows.forEach(row => node.appendChild(row));
			return node;
		}
		const panes = this.tabs.map(tab => E('div', { 'data-tab': tab.name, 'data-tab-active': 'false' },
			tab.description ? [ E('div', { 'class': 'cbi-tab-descr' }, [ tab.description ]) ] : []));
		this.children.forEach((option, at) => panes[this.tabs.findIndex(tab => tab.name === option.tab)].appendChild(rows[at]));
		const show = at => {
			this.map.shown[id] = at;
			panes.forEach((pane, other) => { pane.hidden = other !== at; pane.dataset.tabActive = String(other === at); });
			children(menu, ':scope > li').forEach((item, other) => { item.className = other === at ? 'cbi-tab' : 'cbi-tab-disabled'; });
		};
		const menu = E('ul', { 'class': 'cbi-tabmenu' }, this.tabs.map((tab, at) => E('li', { 'data-tab': tab.name }, [
			E('a', { 'href': '#', 'click': event => { event.preventDefault(); show(at); } }, [ tab.title ]) ])));
		node.appendChild(menu);
		panes.forEach(pane => node.appendChild(pane));
		show(this.map.shown[id] || 0);
		return node;
	}
}

class NamedSection extends Section {
	constructor(map, id, type, ...args) { super(map, type, ...args); this.id = id; }
	ids() { return [ this.id ]; }
	async render() { return E('div', { 'class': 'cbi-section' }, [ await this.fields(this.id) ]); }
}

class TypedSection extends Section {
	ids() { return modules.uci.sections(this.map.config, this.type).map(section => section['.name']); }
	async render() {
		const node = E('div', { 'class': 'cbi-section', 'id': `cbi-${this.map.config}-${this.type}` },
			[ E('div', { 'class': 'cbi-section-descr' }, [ this.description ]) ]);
		for (const id of this.ids()) {
			node.appendChild(E('div', { 'class': 'cbi-section-remove right' }, [ E('button', { 'class': 'cbi-button', 'data-section-id-of': id,
				'name': `cbi.rts.${this.map.config}.${id}`, 'disabled': this.map.readonly || null,
				'click': () => { modules.uci.remove(this.map.config, id); return this.map.save(true); } }, [ 'Delete' ]) ]));
			node.appendChild(E('h3', {}, [ id.toUpperCase() ]));
			node.appendChild(await this.fields(id));
		}
		if (!this.ids().length)
			node.appendChild(E('em', {}, [ 'This section contains no values yet' ]));
		const name = E('input', { 'type': 'text', 'class': 'cbi-section-create-name', 'disabled': this.map.readonly || null });
		node.appendChild(E('div', { 'class': 'cbi-section-create' }, [ name, ' ', E('button', { 'class': 'cbi-button cbi-button-add',
			'disabled': this.map.readonly || null, 'click': () => {
				if (!/^[A-Za-z0-9_]+$/.test(name.value))
					return;
				modules.uci.add(this.map.config, this.type, name.value);
				return this.map.save(true);
			} }, [ this.addbtntitle ]) ]));
		return node;
	}
}

class FormMap {
	constructor(config, title, description) { Object.assign(this, { config, title, description, children: [], shown: {} }); }
	section(Type, ...args) { const section = new Type(this, ...args); this.children.push(section); return section; }

	lookupOption(name, id) {
		const frame = this.root?.querySelector(`[data-field="cbid.${this.config}.${id}.${name}"]`);
		const find = sections => sections.flatMap(section => section.children.flatMap(option =>
			option instanceof SectionValue ? find([ option.subsection ]) : option.option === name && option.widgets[id] ? [ option ] : []));
		const option = frame && find(this.children).find(candidate => candidate.frame(id) === frame
			&& candidate.widgets[id]?.node && frame.contains(candidate.widgets[id].node));
		return option ? [ option, id ] : null;
	}

	checkDepends() {
		for (let round = 0; round < 10 && this.children.map(section => section.checkDepends()).some(isNew => isNew); round++);
	}

	async render() {
		this.readonly = SETUP.readOnly;
		this.root ??= E('div', { 'class': 'cbi-map', 'id': 'cbi-' + this.config });
		const nodes = await Promise.all(this.children.map(section => section.render()));
		this.root.replaceChildren(E('h2', {}, [ this.title ]), E('div', { 'class': 'cbi-map-descr' }, [ this.description ]), ...nodes);
		// Values are only looked at in a page.
		window.setTimeout(() => this.checkDepends());
		this.root.map = this;
		return this.root;
	}

	async save(isSilent) {
		this.checkDepends();
		try {
			for (const section of this.children)
				await section.parse();
			await modules.uci.save();
		}
		catch (error) {
			if (isSilent)
				return;
			modules.ui.showModal('Save error', [ E('p', {}, [ E('em', {}, [ error.message ]) ]), E('div', { 'class': 'right' }, [
				E('button', { 'class': 'cbi-button', 'click': () => modules.ui.hideModal() }, [ 'Dismiss' ]) ]) ]);
			throw error;
		}
		await this.render();
	}
}

modules.form = { Map: FormMap, NamedSection, TypedSection, Value, Flag, ListValue, DynamicList, Button, SectionValue };
modules['tools.widgets'] = { NetworkSelect };
