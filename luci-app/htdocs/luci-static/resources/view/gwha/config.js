'use strict';
'require view';
'require rpc';
'require fs';
'require uci';
'require form';
'require tools.widgets as widgets';

/*
 * Services > Gateway HA: /etc/config/gwha.
 *
 * What a field allows is what `gwha check` allows. What only the file as a whole can tell, the daemon tells: it
 * keeps the configuration before, and the page shows why.
 */

const callStatus = rpc.declare({ object: 'gwha', method: 'status', expect: { '': {} }, reject: true });

const KEY_FILE = '/etc/gwha/key';

/* --- what is allowed ---------------------------------------------------------- */

function number(min, max, isFractional) {
	return (id, value) => {
		const pattern = isFractional ? /^[0-9]+([.][0-9]{1,3})?$/ : /^[0-9]+$/;
		if (!value || (pattern.test(value) && Number(value) >= min && Number(value) <= max))
			return true;
		return _('must be %s to %s').format(String(min), String(max));
	};
}

/* Lists are asked for each of their items. */
function matching(pattern, words) {
	return (id, value) => !value || pattern.test(value) || words;
}

function isHost(address) {
	const parts = address.split('.').map(Number);
	if (parts.length !== 4)
		return address.indexOf(':') >= 0;
	return parts[0] !== 0 && parts[0] < 224;
}

function family(address) {
	return address.indexOf(':') >= 0 ? 6 : 4;
}

function bits(address) {
	return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

/* Whether IPv4 subnet `address`/`length` has `other`. */
function contains(address, length, other) {
	const size = Math.pow(2, 32 - length);
	return Math.floor(bits(address) / size) === Math.floor(bits(other) / size);
}

function validateRouter(id, value) {
	if (!value)
		return true;
	if (!isHost(value))
		return _('must be the address of a host');
	const listed = L.toArray(this.formvalue(id));
	if (listed.length < 2)
		return _('must have the addresses of both routers');
	if (listed.length > 8)
		return _('must be at most 8 routers');
	if (listed.filter(address => address === value).length > 1)
		return _('is there twice');
	if (listed.some(address => family(address) !== family(value)))
		return _('must be all IPv4 or all IPv6');
	return true;
}

function validateVip(id, value) {
	if (!value)
		return true;
	const words = value.trim().split(' ').filter(word => word.length);
	const pair = words[0].split('/');
	const address = pair[0];
	const is4 = family(address) === 4;
	const length = pair.length > 1 ? Number(pair[1]) : null;
	const isAddress = is4 ? /^[0-9]{1,3}([.][0-9]{1,3}){3}$/.test(address) && address.split('.').every(part => Number(part) < 256)
		: /^[0-9a-fA-F:.]+$/.test(address);
	const isLength = length === null || (/^[0-9]+$/.test(pair[1]) && length >= 1 && length <= (is4 ? 32 : 128));
	const isLabel = words.length === 1 || (is4 && words.length === 3 && words[1] === 'label' && words[2].length <= 15);
	if (!isAddress || !isHost(address) || !isLength || !isLabel || pair.length > 2)
		return _('must be ADDRESS[/LENGTH] [label NAME]');
	const own = L.toArray(this.section.formvalue(id, 'router'));
	if (own.indexOf(address) >= 0)
		return _('is a router\'s own address; must be one that can move');
	if (own.length && family(own[0]) !== family(address))
		return _('must be of the same family as the routers');
	if (is4 && length !== null && length < 32 && own.some(router => !contains(address, length, router)))
		return _('must be in the subnet of the routers');
	const vips = L.toArray(this.formvalue(id));
	if (!is4 && vips.length && vips[0].toLowerCase().indexOf('fe80:') !== 0)
		return _('the first address of an IPv6 instance must be link-local (fe80::/10)');
	return true;
}

function validateInterval(id, value) {
	if (!value)
		return true;
	const isOld = this.section.formvalue(id, 'version') === '2';
	const step = isOld ? 1000 : 10;
	const max = isOld ? 255000 : 40950;
	if (/^[0-9]+$/.test(value) && Number(value) >= step && Number(value) <= max && Number(value) % step === 0)
		return true;
	return isOld ? _('must be 1000 to 255000 in steps of 1000') : _('must be 10 to 40950 in steps of 10');
}

function validateVrid(id, value) {
	const verdict = number(1, 255)(id, value);
	if (verdict !== true || !value)
		return verdict;
	const network = this.section.formvalue(id, 'interface');
	const twin = uci.sections('gwha', 'instance').filter(other => other['.name'] !== id
		&& (this.section.formvalue(other['.name'], 'interface') || other.interface) === network
		&& (this.section.formvalue(other['.name'], 'vrid') || other.vrid) === value)[0];
	return twin ? _('is used by instance %s on this interface').format(twin['.name']) : true;
}

function validateWeight(id, value) {
	if (!value || value === 'fault' || (/^-[0-9]+$/.test(value) && Number(value) >= -253 && Number(value) <= -1))
		return true;
	return _('must be fault, or -253 to -1');
}

function validateKey(id, value) {
	if (!value || /^[0-9a-fA-F]{64}$/.test(value) || /^[A-Za-z0-9+\u002f]{43}=$/.test(value))
		return true;
	return _('must be 32 bytes in hexadecimal or base64');
}

const SERVICE = /^[A-Za-z0-9_.-]+$/;

/* --- fields ------------------------------------------------------------------- */

/* Adds an option; what is not given is not written. */
function add(section, tab, type, name, title, hint, more) {
	const option = section.taboption(tab, type, name, title, hint);
	option.optional = true;
	option.rmempty = true;
	return Object.assign(option, more || {});
}

function addFlag(section, tab, name, title, hint, isOn) {
	return add(section, tab, form.Flag, name, title, hint, { default: isOn ? '1' : '0' });
}

function addOnly(section, tab) {
	return add(section, tab, form.DynamicList, 'only', _('Only on the routers'),
		_('Addresses of the routers that this is for; none means all.'), { datatype: 'ipaddr("nomask")' });
}

function choices(option, type) {
	uci.sections('gwha', type).forEach(section => option.value(section['.name']));
	return option;
}

/* What a group decides, and an instance that is in no group. */
function addRole(section, tab) {
	choices(add(section, tab, form.DynamicList, 'track', _('Checks'), _('The checks that count here.')), 'track');
	addFlag(section, tab, 'preempt', _('Preferred router takes back'), null, true);
	add(section, tab, form.Value, 'preempt_delay', _('Take back after'),
		_('Seconds of unbroken health.'), { placeholder: '30', validate: number(0, 3600, true) });
	add(section, tab, form.DynamicList, 'priority', _('Priorities'),
		_('One for each router, in their order; 100, 90, 80 if not given.'), { validate: number(16, 254) });
	add(section, tab, widgets.NetworkSelect, 'up_on_master', _('Networks up on the master only'), null,
		{ multiple: true, nocreate: true });
	add(section, tab, form.DynamicList, 'run_on_master', _('Services that run on the master only'), null,
		{ validate: matching(SERVICE, _('must be the name of a service')) });
	add(section, tab, form.DynamicList, 'reload_on_master', _('Services reloaded on becoming master'), null,
		{ validate: matching(SERVICE, _('must be the name of a service')) });
	addFlag(section, tab, 'dhcp_on_master', _('Only the master answers DHCP'), null, false);
	addFlag(section, tab, 'conntrack', _('Connections survive a switch'), _('Connection state follows the role.'), false);
	add(section, tab, form.Value, 'standby_gateway', _('Gateway of the standby'),
		_('The standby\'s own way to the internet, usually the virtual address of the LAN.'), { datatype: 'ipaddr("nomask")' });
	add(section, tab, form.Value, 'script', _('Command after each change of the role'));
}

function addInstances(map) {
	const s = map.section(form.TypedSection, 'instance', _('Segments'),
		_('A segment is a network with an address that moves between the routers. One for the LAN is enough to begin with.'));
	s.addremove = true;
	s.anonymous = false;
	s.addbtntitle = _('Add a segment');
	s.tab('basic', _('Basic'));
	s.tab('role', _('Role'), _('For a segment that is in no group; a group decides for its segments.'));
	s.tab('advanced', _('Advanced'));

	add(s, 'basic', widgets.NetworkSelect, 'interface', _('Network'), null, { nocreate: true, optional: false, rmempty: false })
		.depends('device', '');
	Object.assign(s.taboption('basic', form.Value, 'vrid', _('Virtual router ID'),
		_('1 to 255, the same on both routers, and unique in the network.')),
		{ rmempty: false, placeholder: '51', validate: validateVrid });
	add(s, 'basic', form.DynamicList, 'router', _('The routers\' own addresses'),
		_('In this network, the preferred router first.'),
		{ datatype: 'ipaddr("nomask")', validate: validateRouter, placeholder: '192.168.1.2' });
	Object.assign(s.taboption('basic', form.DynamicList, 'vip', _('Virtual address'),
		_('The address that moves, with the length of its subnet: the gateway of the clients.')),
		{ rmempty: false, placeholder: '192.168.1.1/24', validate: validateVip });

	addRole(s, 'role');

	add(s, 'advanced', form.Value, 'device', _('Device'), _('A kernel device instead of the network.'),
		{ validate: matching(/^[^ :\u002f]{1,15}$/, _('must be the name of a device')) });
	Object.assign(add(s, 'advanced', form.ListValue, 'version', _('VRRP version')), { default: '3' });
	s.children[s.children.length - 1].value('3', '3');
	s.children[s.children.length - 1].value('2', _('2, for IPv4 only'));
	add(s, 'advanced', form.Value, 'advert_interval', _('Time between adverts'), _('In milliseconds.'),
		{ placeholder: '1000', validate: validateInterval });
	add(s, 'advanced', form.Value, 'auth_pass', _('Password'), _('Of version 2, in clear on the wire, up to 8 bytes.'),
		{ password: true, datatype: 'maxlength(8)' }).depends('version', '2');
	const mode = add(s, 'advanced', form.ListValue, 'mode', _('Adverts travel as'), null, { default: 'unicast' });
	mode.value('unicast', _('Unicast'));
	mode.value('multicast', _('Multicast'));
	add(s, 'advanced', form.Value, 'source', _('This router\'s own address'), _('Instead of the list of routers.'),
		{ datatype: 'ipaddr("nomask")' });
	add(s, 'advanced', form.DynamicList, 'peer', _('The other routers'), _('Instead of the list of routers.'),
		{ datatype: 'ipaddr("nomask")' });
	add(s, 'advanced', form.Value, 'ttl_min', _('Least TTL of adverts'), _('255 means from this link only.'),
		{ placeholder: '255', validate: number(1, 255) });
	add(s, 'advanced', form.Value, 'announce_refresh', _('Announce again every'), _('In seconds; 0 is never.'),
		{ placeholder: '60', validate: number(0, 3600) });
	addOnly(s, 'advanced');
}

function addGroups(map) {
	const s = map.section(form.TypedSection, 'group', _('Groups'),
		_('Segments of a group move together. A gateway with a LAN and a WAN is one group.'));
	s.addremove = true;
	s.anonymous = false;
	s.addbtntitle = _('Add a group');
	s.tab('basic', _('Basic'));
	s.tab('role', _('Role'));
	choices(Object.assign(s.taboption('basic', form.DynamicList, 'instance', _('Segments')), {
		rmempty: false,
		validate(id, value) {
			const elsewhere = uci.sections('gwha', 'group').filter(group => group['.name'] !== id
				&& L.toArray(this.section.formvalue(group['.name'], 'instance')).indexOf(value) >= 0)[0];
			return value && elsewhere ? _('is in group %s already').format(elsewhere['.name']) : true;
		}
	}), 'instance');
	addRole(s, 'role');
	addOnly(s, 'role');
}

function addTracks(map) {
	const s = map.section(form.TypedSection, 'track', _('Checks'),
		_('A check lowers the priority of a router while it fails. Check the carrier router, not the internet: a fault of the carrier must not move anything.'));
	s.addremove = true;
	s.anonymous = false;
	s.addbtntitle = _('Add a check');
	s.tab('basic', _('Basic'));
	s.tab('advanced', _('Advanced'));
	const type = Object.assign(s.taboption('basic', form.ListValue, 'type', _('Type')), { default: 'ping' });
	[ 'ping', 'arp', 'tcp', 'link', 'script' ].forEach(name => type.value(name));
	add(s, 'basic', widgets.NetworkSelect, 'interface', _('Network'), null, { nocreate: true });
	const target = add(s, 'basic', form.DynamicList, 'target', _('Targets'),
		_('Addresses; for tcp, ADDRESS:PORT.'), { placeholder: '10.0.0.1',
			validate: matching(/^[0-9a-fA-F.:]+$|^\[[0-9a-fA-F:]+\]:[0-9]+$/, _('must be an address, for tcp with a port')) });
	[ 'ping', 'arp', 'tcp' ].forEach(name => target.depends('type', name));
	add(s, 'basic', form.Value, 'command', _('Command'), _('Exit status 0 is good.')).depends('type', 'script');
	add(s, 'basic', form.Value, 'weight', _('Weight'), _('What it takes from the priority while it fails: fault, or a number such as -30.'),
		{ placeholder: 'fault', validate: validateWeight });
	add(s, 'advanced', form.Value, 'device', _('Device'), _('A kernel device instead of the network.'),
		{ validate: matching(/^[^ :\u002f]{1,15}$/, _('must be the name of a device')) });
	add(s, 'advanced', form.Value, 'need', _('Targets that must answer'), null, { placeholder: '1', validate: number(1, 16) });
	add(s, 'advanced', form.Value, 'interval', _('Seconds between tests'), null, { placeholder: '5', validate: number(0.1, 3600, true) });
	add(s, 'advanced', form.Value, 'timeout', _('Seconds an answer may take'), null, { placeholder: '2', validate: number(0.01, 3600, true) });
	add(s, 'advanced', form.Value, 'fall', _('Failed tests until it is down'), null, { placeholder: '2', validate: number(1, 1000) });
	add(s, 'advanced', form.Value, 'rise', _('Good tests until it is up'), null, { placeholder: '2', validate: number(1, 1000) });
	addOnly(s, 'advanced');
}

/* The key is no option: it goes straight into its file, and is never read back. */
function addKey(section) {
	const option = section.taboption('basic', form.Value, '_key', _('Key'),
		_('The same on both routers. Leave it empty to keep the one that is there; a new one is stored on Save.'));
	Object.assign(option, {
		password: true,
		optional: true,
		rmempty: true,
		validate: validateKey,
		cfgvalue: () => '',
		remove: () => null,
		write: (id, value) => fs.write(KEY_FILE, value + '\n', 384)
	});
	option.depends({ key_file: '' });
	option.depends({ key_file: KEY_FILE });
	const button = section.taboption('basic', form.Button, '_generate', _('Generate a key'),
		_('Show it with the button beside it, and enter it on the other router too.'));
	Object.assign(button, {
		inputtitle: _('Generate'),
		inputstyle: 'action',
		onclick(event, id) {
			const bytes = Array.from(window.crypto.getRandomValues(new Uint8Array(32)));
			option.getUIElement(id).setValue(bytes.map(byte => byte.toString(16).padStart(2, '0')).join(''));
		}
	});
}

function addSync(map) {
	const s = map.section(form.TypedSection, 'sync', _('Between the routers'),
		_('The encrypted channel by which DHCP leases and files follow the master.'));
	s.addremove = true;
	s.anonymous = false;
	s.addbtntitle = _('Add the channel');
	s.tab('basic', _('Basic'));
	s.tab('advanced', _('Advanced'));
	choices(add(s, 'basic', form.ListValue, 'instance', _('Segment'), _('The channel runs between the routers\' addresses in this segment.')), 'instance');
	addKey(s);
	addFlag(s, 'basic', 'leases', _('DHCP leases follow'), null, true);
	add(s, 'basic', form.DynamicList, 'file', _('Files and directories'), _('They follow the master\'s.'),
		{ placeholder: '/etc/config/dhcp', validate(id, value) {
			const parts = value ? value.split('/') : [];
			if (value && (value[0] !== '/' || parts.indexOf('.') >= 0 || parts.indexOf('..') >= 0))
				return _('must be an absolute path');
			return value === (this.section.formvalue(id, 'key_file') || KEY_FILE) ? _('is the key, which must not travel') : true;
		} });
	add(s, 'advanced', widgets.NetworkSelect, 'interface', _('Network'), _('A dedicated link instead of a segment.'), { nocreate: true });
	add(s, 'advanced', form.DynamicList, 'router', _('The routers\' own addresses'), _('On the dedicated link.'),
		{ datatype: 'ipaddr("nomask")' });
	add(s, 'advanced', form.Value, 'key_file', _('File of the key'), null,
		{ placeholder: KEY_FILE, validate: matching(/^\u002f/, _('must be an absolute path')) });
	add(s, 'advanced', form.DynamicList, 'reload', _('Services reloaded when a file has arrived'), null,
		{ validate: matching(SERVICE, _('must be the name of a service')) });
	add(s, 'advanced', form.DynamicList, 'keep', _('Options that stay as they are'), _('CONFIG.SECTION or CONFIG.SECTION.OPTION, such as network.lan.ipaddr.'),
		{ validate: matching(/^[^.]+[.][^.]+([.][^.]+)?$/, _('must be CONFIG.SECTION or CONFIG.SECTION.OPTION')) });
	addOnly(s, 'advanced');
}

function addDaemon(map) {
	const s = map.section(form.NamedSection, 'main', 'gwha', _('Service'));
	Object.assign(s.option(form.Flag, 'enabled', _('Enabled')), { default: '1', rmempty: false });
	const level = s.option(form.ListValue, 'log_level', _('Log messages from'));
	[ [ 'error', _('Errors') ], [ 'warn', _('Warnings') ], [ 'info', _('Changes') ], [ 'debug', _('Everything') ] ]
		.forEach(pair => level.value(pair[0], pair[1]));
	level.default = 'info';
	level.optional = true;
}

/* --- what should be known before saving -------------------------------------------- */

function alertBox(id, kind, content) {
	return E('div', { 'class': 'alert-message ' + kind, 'id': 'gwha-' + id }, content);
}

function hints(status) {
	const found = [];
	const config = status.config || {};
	if (config.state === 'rejected')
		found.push(alertBox('rejected', 'danger', [
			E('p', {}, [ _('gwha has rejected this configuration. What was in force before still is.') ]),
			E('ul', {}, (config.errors || []).map(error => E('li', {}, [ error ]))) ]));
	if (status.role === 'backup') {
		const follows = (status.files || []).some(file => '/etc/config/gwha'.indexOf(file.path) === 0);
		found.push(alertBox('standby', 'warning', [ E('p', {}, [ follows
			? _('This router is the standby. Its configuration follows the master: what you save here does not last. Change it on the master.')
			: _('This router is the standby. Make the same change on the master too: both need the same configuration.') ]) ]));
	}
	return found;
}

return view.extend({
	load() {
		return Promise.all([ uci.load('gwha'), callStatus().catch(() => ({})) ]);
	},

	/* A first visit finds the short form: one segment, to be filled in. Nothing is stored before Save. */
	prepare() {
		if (!uci.get('gwha', 'main'))
			uci.add('gwha', 'gwha', 'main');
		if (!uci.sections('gwha', 'instance').length) {
			uci.add('gwha', 'instance', 'lan');
			uci.set('gwha', 'lan', 'interface', 'lan');
			uci.set('gwha', 'lan', 'vrid', '51');
		}
	},

	render(loaded) {
		this.prepare();
		const map = new form.Map('gwha', _('Gateway HA'),
			_('Two routers act as one gateway. Give both the same configuration: each finds itself by its own address.'));
		map.tabbed = true;
		addInstances(map);
		addGroups(map);
		addTracks(map);
		addSync(map);
		addDaemon(map);
		return map.render().then(node => E('div', {}, hints(loaded[1]).concat([ node ])));
	}
});
