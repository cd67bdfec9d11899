'use strict';
'require view';
'require rpc';
'require fs';
'require poll';
'require ui';
'require uci';
'require form';
'require validation';
'require tools.widgets as widgets';

/*
 * Services > Gateway HA: /etc/config/gwha.
 *
 * What can be saved is what `gwha check` accepts. The little that is not seen here, the daemon sees: it keeps the
 * configuration before, and the page says why.
 */

const callStatus = rpc.declare({ object: 'gwha', method: 'status', expect: { '': {} }, reject: true });

const KEY_FILE = '/etc/gwha/key';

const PROGRAM = '/usr/sbin/gwha';

/* --- addresses ------------------------------------------------------------------ */

/* The bits of a host's address; null if it is none. */
function bits(text) {
	const isOld = (/^[0-9.]+$/).test(text) && !(/(^|[.])0[0-9]/).test(text);
	const parts = isOld ? validation.parseIPv4(text) : text.indexOf(':') < 0 ? null : validation.parseIPv6(text);
	const all = parts ? parts.map(part => part.toString(2).padStart(isOld ? 8 : 16, '0')).join('') : '';
	const special = isOld ? /^(0{8}|01111111|1110|1{32})/ : /^(0{127}|1{8}|0{80}1{16})/;
	return all && !special.test(all) ? all : null;
}

function isLinkLocal(address) {
	return address.length === 128 && address.indexOf('1111111010') === 0;
}

function isAlike(one, other) {
	return one.length === other.length && isLinkLocal(one) === isLinkLocal(other);
}

/* ADDRESS[/LENGTH] [label NAME], or null. */
function parseVip(text) {
	const words = text.trim().split(' ').filter(word => word);
	const pair = (words[0] || '').split('/');
	const address = bits(pair[0]);
	const length = pair.length > 1 ? pair[1] : null;
	const isLength = length === null || (/^[0-9]{1,3}$/.test(length) && Number(length) >= 1 && address && Number(length) <= address.length);
	const isLabel = words.length === 1 || (words.length === 3 && words[1] === 'label' && /^[!#-&(-.0-~]{1,15}$/.test(words[2])
		&& address && address.length === 32);
	return address && pair.length < 3 && isLength && isLabel ? { address: address, length: length && Number(length) } : null;
}

/* --- what is allowed --------------------------------------------------------------- */

function number(min, max, isFractional) {
	const pattern = isFractional ? /^[0-9]+([.][0-9]{1,3})?$/ : /^[0-9]+$/;
	return (id, value) => !value || (pattern.test(value) && Number(value) >= min && Number(value) <= max)
		|| _('must be %s to %s').format(String(min), String(max));
}

function matching(pattern, words) {
	return (id, value) => !value || pattern.test(value) || words;
}

function host(id, value) {
	return !value || bits(value) !== null || _('must be the address of a host');
}

/* LuCI asks a list about the item that is being typed, and with nothing about the list as it stands. */
function each(check, whole) {
	return function(id, value) {
		const items = L.toArray(this.formvalue(id));
		const verdicts = (value ? [ value ] : items).map(item => check.call(this, id, item, items));
		if (!value && whole)
			verdicts.push(whole.call(this, id, items));
		return verdicts.filter(verdict => verdict !== true)[0] || true;
	};
}

const SERVICE = matching(/^[A-Za-z0-9_+@][A-Za-z0-9_.+@-]{0,63}$/, _('must be the name of a service'));
const DEVICE = matching(/^[!#-&(-.0-9;-~]{1,15}$/, _('must be the name of a device'));
const PATH = (id, value) => !value || (value[0] === '/' && value.split('/').every(part => part !== '.' && part !== '..')) || _('must be an absolute path');

/* --- what other fields of the page say ------------------------------------------------ */

function names(type) {
	return uci.sections('gwha', type).map(section => section['.name']);
}

/* What the form has for an option of any section, as a list. */
function said(option, id, name) {
	const found = option.map.lookupOption(name, id);
	return found ? L.toArray(found[0].formvalue(found[1])).filter(value => value !== '') : [];
}

/* The other sections of a type that are there on a router where this one is. */
function others(option, type, id) {
	const only = said(option, id, 'only');
	const isShared = list => !only.length || !list.length || list.some(router => only.indexOf(router) >= 0);
	return names(type).filter(other => other !== id && isShared(said(option, other, 'only')));
}

function groupOf(option, instance) {
	return names('group').filter(group => said(option, group, 'instance').indexOf(instance) >= 0)[0];
}

function linkOf(option, instance) {
	return said(option, instance, 'device').map(device => 'device ' + device).concat(said(option, instance, 'interface'))[0];
}

/* The routers of an instance, or of a group's instances. */
function routersOf(option, id) {
	const members = said(option, id, 'instance');
	return (members.length ? members : [ id ]).map(instance => said(option, instance, 'router')).filter(list => list.length)[0] || [];
}

/* --- segments --------------------------------------------------------------------------- */

function checkRouter(id, value, items) {
	const address = bits(value);
	if (!address)
		return _('must be the address of a host');
	if (items.some(item => (bits(item) || address).length !== address.length))
		return _('must be all IPv4 or all IPv6');
	return items.filter(item => bits(item) === address).length < 2 || _('is there twice');
}

function checkRouters(id, items) {
	const isOther = said(this, id, 'source').concat(said(this, id, 'peer')).length > 0;
	const group = groupOf(this, id);
	const mates = group ? said(this, group, 'instance').map(mate => said(this, mate, 'router')) : [];
	if (!items.length && !isOther && said(this, id, 'mode')[0] !== 'multicast')
		return _('must have the addresses of both routers');
	if (items.length && isOther)
		return _('must not stand beside the other routers of the advanced tab');
	if (items.length === 1)
		return _('must have the addresses of both routers');
	if (items.length > 8)
		return _('must be at most 8 routers');
	const isSame = mates.every(list => list.length === items.length
		&& items.every((item, place) => list.indexOf(item) < 0 || list.indexOf(item) === place));
	return isSame || _('must be the same routers in the same order in all segments of group %s').format(group);
}

function checkVip(id, value, items) {
	const vip = parseVip(value);
	if (!vip)
		return _('must be ADDRESS[/LENGTH] [label NAME]');
	const routers = said(this, id, 'router');
	const own = routers.concat(said(this, id, 'source'), said(this, id, 'peer')).map(bits).filter(address => address);
	if (routers.map(bits).indexOf(vip.address) >= 0)
		return _('is a router\'s own address; must be one that can move');
	const all = items.map(parseVip).filter(item => item);
	if (own.concat(all.map(item => item.address)).some(other => other.length !== vip.address.length))
		return _('must be of the same family as the routers');
	if (vip.address.length === 128 && all.length && !isLinkLocal(all[0].address))
		return _('the first address of an IPv6 segment must be link-local (fe80::/10)');
	if (all.filter(item => item.address === vip.address).length > 1)
		return _('is there twice');
	if (vip.length && vip.length < vip.address.length) {
		const rest = vip.address.slice(vip.length);
		if (rest.length > 1 && (/^0+$/.test(rest) || (vip.address.length === 32 && /^1+$/.test(rest))))
			return _('is the network or broadcast address of its subnet');
		if (own.some(router => isAlike(router, vip.address) && router.slice(0, vip.length) !== vip.address.slice(0, vip.length)))
			return _('must be in the subnet of the routers');
	}
	const twin = others(this, 'instance', id).filter(other => (!isLinkLocal(vip.address) || linkOf(this, other) === linkOf(this, id))
		&& said(this, other, 'vip').some(item => (parseVip(item) || {}).address === vip.address))[0];
	return !twin || _('is an address of segment %s too').format(twin);
}

function checkPeer(id, value, items) {
	const verdict = checkRouter(id, value, items.concat(said(this, id, 'source').filter(source => bits(source)
		&& bits(source).length !== (bits(value) || '').length)));
	return verdict === true && said(this, id, 'source').some(source => bits(source) === bits(value))
		? _('is this router\'s own address') : verdict;
}

function checkPeers(id, items) {
	const isAlone = said(this, id, 'source').length > 0 && said(this, id, 'mode')[0] !== 'multicast';
	return items.length > 0 || !isAlone || _('must have the other routers');
}

function checkVrid(id, value) {
	const verdict = number(1, 255)(id, value);
	if (verdict !== true || !value)
		return verdict;
	const family = instance => (parseVip(said(this, instance, 'vip')[0] || '-') || { address: '' }).address.length;
	const twin = others(this, 'instance', id).filter(other => linkOf(this, other) === linkOf(this, id)
		&& family(other) === family(id) && said(this, other, 'vrid').map(Number)[0] === Number(value))[0];
	return !twin || _('is used by segment %s on this network').format(twin);
}

function checkInterval(id, value) {
	const isOld = said(this, id, 'version')[0] === '2';
	const step = isOld ? 1000 : 10;
	const max = isOld ? 255000 : 40950;
	if (!value || (/^[0-9]+$/.test(value) && Number(value) >= step && Number(value) <= max && Number(value) % step === 0))
		return true;
	return isOld ? _('must be 1000 to 255000 in steps of 1000') : _('must be 10 to 40950 in steps of 10');
}

function checkVersion(id, value) {
	return value !== '2' || !said(this, id, 'vip').some(vip => vip.indexOf(':') >= 0) || _('version 2 has no IPv6');
}

/* --- what follows from the role ----------------------------------------------------------- */

function checkPriority(id, value, items) {
	const routers = routersOf(this, id).length;
	const verdict = number(16, routers ? 253 : 255)(id, value);
	return verdict === true && items.filter(item => Number(item) === Number(value)).length > 1 ? _('is there twice') : verdict;
}

function checkPriorities(id, items) {
	const routers = routersOf(this, id).length;
	const isGroup = names('group').indexOf(id) >= 0;
	if (!routers)
		return items.length === 1 || (!items.length && (isGroup || groupOf(this, id) !== undefined))
			|| _('must be this router\'s own, if there is no list of routers');
	if (items.length > 1 && items.length !== routers)
		return _('must be one for each router');
	const group = isGroup ? id : groupOf(this, id);
	const kin = group ? [ group ].concat(said(this, group, 'instance')) : [];
	return kin.map(other => said(this, other, 'priority').join()).every(list => !list || !items.length || list === items.join())
		|| _('must be the same for the whole group');
}

function checkTrack(id, value) {
	const isThere = names('track').indexOf(value) >= 0;
	if (!isThere)
		return _('is no check of this page');
	const type = said(this, value, 'type')[0];
	const isRouted = type === 'ping' || type === 'tcp';
	return !isRouted || linkOf(this, value) !== undefined || !said(this, id, 'standby_gateway').length
		|| _('must have a network: with a gateway of the standby it would go out through the other router');
}

function checkUp(id, value) {
	const needy = L.toArray(value).concat(L.toArray(this.formvalue(id)))
		.map(network => names('instance').filter(instance => said(this, instance, 'interface').indexOf(network) >= 0)[0])
		.filter(instance => instance)[0];
	return !needy || _('segment %s runs on it: must be up on every router').format(needy);
}

/* In a group, the group decides; only the priorities may stand at the segment. */
function leftToGroup(option) {
	const own = option.validate;
	return option.option === 'priority' ? own : function(id, value) {
		const group = groupOf(this, id);
		const isSaid = L.toArray(this.formvalue(id)).some(item => item !== '' && item !== this.default);
		return group && isSaid ? _('must stand in group %s').format(group) : own.call(this, id, value);
	};
}

function checkOnly(id, value) {
	if (!bits(value))
		return _('must be the address of a host');
	return names('instance').some(instance => said(this, instance, 'router').map(bits).indexOf(bits(value)) >= 0)
		|| _('is in no list of routers');
}

/* --- checks and the channel ------------------------------------------------------------------ */

function checkTarget(id, value, items) {
	const isTcp = said(this, id, 'type')[0] === 'tcp';
	const colon = isTcp ? value.lastIndexOf(':') : value.length;
	const bracketed = /^\[(.*)\]$/.exec(value.slice(0, Math.max(colon, 0)));
	const text = isTcp && bracketed ? bracketed[1] : value.slice(0, Math.max(colon, 0));
	const address = isTcp && !bracketed && text.indexOf(':') >= 0 ? null : bits(text);
	const port = value.slice(colon + 1);
	if (!address || (isTcp && (!/^[0-9]{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535)))
		return isTcp ? _('must be ADDRESS:PORT or [ADDRESS]:PORT') : _('must be the address of a host');
	if (isLinkLocal(address) && linkOf(this, id) === undefined)
		return _('a link-local address needs a network');
	return items.filter(item => item === value).length < 2 || _('is there twice');
}

function checkTargets(id, items) {
	return (items.length > 0 && items.length <= 16) || _('must have 1 to 16 targets');
}

function checkNeed(id, value) {
	const verdict = number(1, 16)(id, value);
	const count = said(this, id, 'target').length;
	return verdict === true && count && Number(value) > count ? _('must be at most the number of targets') : verdict;
}

function checkTimeout(id, value) {
	const verdict = number(0.01, 3600, true)(id, value);
	return verdict === true && value && Number(value) > Number(said(this, id, 'interval')[0] || 5)
		? _('must be at most the time between tests') : verdict;
}

/* The network is needed by what never leaves it. */
function checkTrackLink(id) {
	const type = said(this, id, 'type')[0];
	return (type !== 'arp' && type !== 'link') || linkOf(this, id) !== undefined || _('is needed by this type');
}

function checkKey(id, value) {
	return !value || /^[0-9a-fA-F]{64}$/.test(value) || /^[A-Za-z0-9+\u002f]{43}=$/.test(value)
		|| _('must be 32 bytes in hexadecimal or base64');
}

function checkChannel(id, value) {
	const isDedicated = linkOf(this, id) !== undefined || said(this, id, 'router').length > 0;
	if (!value)
		return isDedicated || _('must be a segment, or a dedicated link in the advanced tab');
	if (isDedicated)
		return _('must not stand beside a dedicated link');
	return said(this, value, 'router').concat(said(this, value, 'peer')).length > 0 || _('must be a segment with a list of routers');
}

function checkChannelRouters(id, items) {
	const isLinked = linkOf(this, id) !== undefined;
	const counts = names('instance').map(instance => said(this, instance, 'router').length).filter(count => count);
	if (!items.length)
		return !isLinked || _('must have the addresses of both routers');
	if (!isLinked)
		return _('needs the network or the device of the dedicated link');
	return (items.length > 1 && counts.every(count => count === items.length)) || _('must be one for each router');
}

/* --- fields ------------------------------------------------------------------------------------- */

/* Adds an option; what is not given is not written. */
function add(section, tab, type, name, title, hint, more) {
	const option = section.taboption(tab, type, name, title, hint);
	return Object.assign(option, { optional: true, rmempty: true }, more || {});
}

/* On and off have more words than LuCI knows. */
function loadSwitch(id) {
	const word = uci.get('gwha', id, this.option);
	return word && ([ '1', 'on', 'true', 'yes', 'enabled' ].indexOf(word) < 0 ? '0' : '1');
}

function addFlag(section, tab, name, title, hint, isOn, more) {
	return add(section, tab, form.Flag, name, title, hint, Object.assign({ default: isOn ? '1' : '0', load: loadSwitch }, more || {}));
}

function addList(section, tab, name, title, hint, check, whole, more) {
	return add(section, tab, form.DynamicList, name, title, hint, Object.assign({ validate: each(check, whole) }, more || {}));
}

function addChoice(section, tab, name, title, hint, words) {
	const option = add(section, tab, form.ListValue, name, title, hint, { default: words[0][0] });
	words.forEach(word => option.value(word[0], word[1]));
	return option;
}

function addOnly(section, tab) {
	return addList(section, tab, 'only', _('Only on the routers'), _('Addresses of the routers that this is for; none means all.'), checkOnly);
}

/* Offers the sections of a type, also those that were added a moment ago. */
function choosing(option, type) {
	option.load = function(id) {
		this.keylist = [];
		this.vallist = [];
		names(type).forEach(name => this.value(name));
		return this.super('load', [ id ]);
	};
	return option;
}

/* What a group decides, and an instance that is in no group. */
function addRole(s, tab) {
	const first = s.children.length;
	const onMaster = { multiple: true, nocreate: true, validate: checkUp };
	choosing(addList(s, tab, 'track', _('Checks'), _('The checks that count here.'), checkTrack), 'track');
	addFlag(s, tab, 'preempt', _('Preferred router takes back'), null, true);
	add(s, tab, form.Value, 'preempt_delay', _('Take back after'), _('Seconds of unbroken health.'),
		{ placeholder: '30', validate: number(0, 3600, true) });
	addList(s, tab, 'priority', _('Priorities'), _('One for each router, in their order; 100, 90, 80 if not given.'),
		checkPriority, checkPriorities, {
			load: id => L.toArray(uci.get('gwha', id, 'priority')),
			write: (id, values) => uci.set('gwha', id, 'priority', values.length > 1 ? values : values[0])
		});
	add(s, tab, widgets.NetworkSelect, 'up_on_master', _('Networks up on the master only'), null, onMaster);
	addList(s, tab, 'run_on_master', _('Services that run on the master only'), null, SERVICE);
	addList(s, tab, 'reload_on_master', _('Services reloaded on becoming master'), null, SERVICE);
	addFlag(s, tab, 'dhcp_on_master', _('Only the master answers DHCP'), null, false);
	addFlag(s, tab, 'conntrack', _('Connections survive a switch'), _('Connection state follows the role.'), false);
	const snat = add(s, tab, form.ListValue, 'snat', _('Traffic leaves with the virtual address'), _('Of a WAN; by itself as soon as connections survive.'),
		{ load: loadSwitch });
	[ [ '', _('By itself') ], [ '1', _('Always') ], [ '0', _('Never') ] ].forEach(word => snat.value(word[0], word[1]));
	add(s, tab, form.Value, 'standby_gateway', _('Gateway of the standby'),
		_('The standby\'s own way to the internet, usually the virtual address of the LAN.'), { validate: host });
	add(s, tab, form.Value, 'table', _('Routing table'), _('For that way, instead of the main one.'),
		{ validate: number(1, 4294967295) }).depends('standby_gateway', /./);
	add(s, tab, form.Value, 'rule_priority', _('Priority of the rule'), _('That leads to this table.'),
		{ validate: number(1, 32765) }).depends('table', /./);
	add(s, tab, form.Value, 'script', _('Command after each change of the role'));
	return s.children.slice(first);
}

function addSection(s, title) {
	Object.assign(s, { addremove: true, anonymous: false, addbtntitle: title });
	s.tab('basic', _('Basic'));
	return s;
}

function addInstances(s) {
	addSection(s, _('Add a segment'));
	s.tab('role', _('Role'), _('For a segment that is in no group; a group decides for its segments.'));
	s.tab('advanced', _('Advanced'));

	add(s, 'basic', widgets.NetworkSelect, 'interface', _('Network'), null, { nocreate: true, optional: false, rmempty: false })
		.depends('device', '');
	add(s, 'basic', form.Value, 'vrid', _('Virtual router ID'), _('1 to 255, the same on both routers, and unique in the network.'),
		{ optional: false, rmempty: false, placeholder: '51', validate: checkVrid });
	addList(s, 'basic', 'router', _('The routers\' own addresses'), _('In this network, the preferred router first.'),
		checkRouter, checkRouters, { placeholder: '192.168.1.2' });
	addList(s, 'basic', 'vip', _('Virtual address'), _('The address that moves, with the length of its subnet: the gateway of the clients.'),
		checkVip, null, { optional: false, rmempty: false, placeholder: '192.168.1.1/24' });

	addRole(s, 'role').forEach(option => { option.validate = leftToGroup(option); });

	const advanced = [ s, 'advanced' ];
	add(...advanced, form.Value, 'device', _('Device'), _('A kernel device instead of the network.'), { validate: DEVICE });
	addChoice(...advanced, 'version', _('VRRP version'), null, [ [ '3', '3' ], [ '2', _('2, for IPv4 only') ] ]).validate = checkVersion;
	add(...advanced, form.Value, 'advert_interval', _('Time between adverts'), _('In milliseconds.'),
		{ placeholder: '1000', validate: checkInterval });
	add(...advanced, form.Value, 'auth_pass', _('Password'), _('Of version 2, in clear on the wire, up to 8 bytes.'),
		{ password: true }).depends('version', '2');
	addChoice(...advanced, 'mode', _('Adverts travel as'), null, [ [ 'unicast', _('Unicast') ], [ 'multicast', _('Multicast') ] ]);
	add(...advanced, form.Value, 'source', _('This router\'s own address'), _('Instead of the list of routers.'), { validate: host });
	addList(...advanced, 'peer', _('The other routers'), _('Instead of the list of routers.'), checkPeer, checkPeers);
	addChoice(...advanced, 'checksum', _('Checksum of version 3'), null,
		[ [ 'pseudo_header', _('With the pseudo-header, as keepalived') ], [ 'message', _('Of the message only') ] ]);
	addFlag(...advanced, 'accept_old_checksum', _('Accept the checksum of keepalived before 1.3.7'), null, false);
	add(...advanced, form.Value, 'ttl_min', _('Least TTL of adverts'), _('255 means from this link only.'),
		{ placeholder: '255', validate: number(1, 255) });
	addList(...advanced, 'announce', _('Announce after a takeover'), _('In milliseconds, ascending; 0 20 100 500 1000 2000 5000 if not given.'),
		number(0, 60000), (id, items) => items.every((item, at) => !at || Number(item) > Number(items[at - 1])) || _('must be ascending'));
	add(...advanced, form.Value, 'announce_refresh', _('Announce again every'), _('In seconds; 0 is never.'),
		{ placeholder: '60', validate: number(0, 3600) });
	addOnly(...advanced);
}

function checkMember(id, value) {
	const elsewhere = others(this, 'group', id).filter(group => said(this, group, 'instance').indexOf(value) >= 0)[0];
	if (names('instance').indexOf(value) < 0)
		return _('is no segment of this page');
	return !elsewhere || _('is in group %s already').format(elsewhere);
}

function addGroups(s) {
	addSection(s, _('Add a group'));
	s.tab('role', _('Role'));
	choosing(addList(s, 'basic', 'instance', _('Segments'), null, checkMember, null, { optional: false, rmempty: false }), 'instance');
	addRole(s, 'role');
	addOnly(s, 'role');
}

function addTracks(s) {
	addSection(s, _('Add a check'));
	s.tab('advanced', _('Advanced'));
	addChoice(s, 'basic', 'type', _('Type'), null, [ [ 'ping', _('Ping') ], [ 'arp', _('ARP, or neighbour solicitation') ],
		[ 'tcp', _('TCP connection') ], [ 'link', _('Carrier of the network') ], [ 'script', _('Command') ] ]);
	add(s, 'basic', widgets.NetworkSelect, 'interface', _('Network'), null, { nocreate: true, validate: checkTrackLink }).depends('device', '');
	const target = addList(s, 'basic', 'target', _('Targets'), _('Addresses; for TCP, ADDRESS:PORT.'), checkTarget, checkTargets,
		{ placeholder: '10.0.0.1' });
	[ 'ping', 'arp', 'tcp' ].forEach(name => target.depends('type', name));
	add(s, 'basic', form.Value, 'command', _('Command'), _('Exit status 0 is good.'), { optional: false, rmempty: false }).depends('type', 'script');
	add(s, 'basic', form.Value, 'weight', _('Weight'), _('What it takes from the priority while it fails: fault, or a number such as -30.'),
		{ placeholder: 'fault', validate: (id, value) => !value || value === 'fault' || (/^-[0-9]+$/.test(value)
			&& Number(value) >= -253 && Number(value) <= -1) || _('must be fault, or -253 to -1') });
	const advanced = [ s, 'advanced', form.Value ];
	add(...advanced, 'device', _('Device'), _('A kernel device instead of the network.'), { validate: DEVICE });
	add(...advanced, 'need', _('Targets that must answer'), null, { placeholder: '1', validate: checkNeed });
	add(...advanced, 'interval', _('Seconds between tests'), null, { placeholder: '5', validate: number(0.1, 3600, true) });
	add(...advanced, 'timeout', _('Seconds an answer may take'), null, { placeholder: '2', validate: checkTimeout });
	add(...advanced, 'fall', _('Failed tests until it is down'), null, { placeholder: '2', validate: number(1, 1000) });
	add(...advanced, 'rise', _('Good tests until it is up'), null, { placeholder: '2', validate: number(1, 1000) });
	addOnly(s, 'advanced');
}

/* The key is no option: it goes straight into its file, and is never read back. */
function addKey(s) {
	const key = add(s, 'basic', form.Value, '_key', _('Key'),
		_('The same on both routers. Leave it empty to keep the one that is there; a new one is stored on Save.'), {
			password: true,
			validate: checkKey,
			load: () => '',
			remove: () => null,
			write: (id, value) => fs.write(KEY_FILE, value + '\n', 384)
		});
	const button = Object.assign(s.taboption('basic', form.Button, '_generate', _('Generate a key'),
		_('Show it with the button beside it, and enter it on the other router too.')), {
		inputtitle: _('Generate'),
		inputstyle: 'action',
		onclick(event, id) {
			const bytes = Array.from(window.crypto.getRandomValues(new Uint8Array(32)));
			key.getUIElement(id).setValue(bytes.map(byte => byte.toString(16).padStart(2, '0')).join(''));
		}
	});
	[ '', KEY_FILE ].forEach(file => [ key, button ].forEach(option => option.depends('key_file', file)));
}

function addSync(s) {
	addSection(s, _('Add the channel'));
	s.tab('advanced', _('Advanced'));
	choosing(add(s, 'basic', form.ListValue, 'instance', _('Segment'),
		_('The channel runs between the routers\' addresses in this segment.'), { validate: checkChannel }), 'instance');
	addKey(s);
	addFlag(s, 'basic', 'leases', _('DHCP leases follow'), null, true);
	addList(s, 'basic', 'file', _('Files and directories'), _('They follow the master\'s.'), function(id, value) {
		return value === (said(this, id, 'key_file')[0] || KEY_FILE) ? _('is the key, which must not travel') : PATH(id, value);
	}, null, { placeholder: '/etc/config/dhcp' });
	const advanced = [ s, 'advanced' ];
	add(...advanced, widgets.NetworkSelect, 'interface', _('Network'), _('A dedicated link instead of a segment.'), { nocreate: true })
		.depends('device', '');
	add(...advanced, form.Value, 'device', _('Device'), _('A kernel device instead of the network.'), { validate: DEVICE });
	addList(...advanced, 'router', _('The routers\' own addresses'), _('On the dedicated link.'), checkRouter, checkChannelRouters);
	add(...advanced, form.Value, 'key_file', _('File of the key'), null, { placeholder: KEY_FILE, validate: PATH });
	add(...advanced, form.Value, 'lease_file', _('File of the DHCP leases'), _('As the DHCP server has it, if not given.'), { validate: PATH });
	addList(...advanced, 'reload', _('Services reloaded when a file has arrived'), null, SERVICE);
	addList(...advanced, 'keep', _('Options that stay as they are'), _('CONFIG.SECTION or CONFIG.SECTION.OPTION, such as network.lan.ipaddr.'),
		matching(/^[^. \u002f]+[.][^. \u002f]+([.][^. \u002f]+)?$/, _('must be CONFIG.SECTION or CONFIG.SECTION.OPTION')));
	addOnly(...advanced);
}

/* --- two routers that know nothing of each other -------------------------------------------------------- */

/* The command does it all: a daemon that could be asked does not run before there is a configuration. */
function pair(words) {
	return fs.exec(PROGRAM, [ 'pair' ].concat(words)).then(reply => {
		if (reply.code !== 0)
			throw new Error((reply.stderr || reply.stdout || '').replace(/^gwha: /, '').trim() || _('gwha gives no answer.'));
		return reply.stdout;
	});
}

/* What `gwha pair --show` says of the line, for people. */
function lineText(state) {
	if (state.waiting)
		return [ E('p', {}, [ _('Type this line on the other router, or on this page of its LuCI:') ]), E('pre', {}, [ state.line ]),
			E('p', {}, [ _('It is good for one router and %d minutes.').format(Math.ceil(state.left / 60)) ]) ];
	if ((/^Paired with /m).test(state.text))
		return [ E('p', { 'class': 'alert-message success' }, [ _('The routers are paired.') ]), reloadButton() ];
	return [ E('p', { 'class': 'alert-message warning' }, [ _('The routers are not paired:') + ' ' + (state.text || '').trim().split('\n').pop() ]) ];
}

function reloadButton() {
	return E('button', { 'class': 'btn cbi-button cbi-button-action', 'click': () => window.location.reload() }, [ _('Show the configuration') ]);
}

/* A line is shown here and typed there. */
function pairing(earlier) {
	const isLocked = L.hasViewPermission() === false || null;
	const told = E('div', { 'id': 'gwha-line' }, []);
	const typed = E('input', { 'type': 'text', 'class': 'cbi-input-text', 'id': 'gwha-typed', 'disabled': isLocked,
		'placeholder': 'gwha pair 192.168.1.2 k7qm-…', 'style': 'width: 26em; max-width: 100%' });
	const button = (id, words, act) => E('button', { 'class': 'btn cbi-button cbi-button-action', 'id': id, 'disabled': isLocked,
		'click': ui.createHandlerFn(null, () => act().catch(error => tell([ E('p', { 'class': 'alert-message danger' }, [ error.message ]) ]))) }, [ words ]);
	const tell = nodes => told.replaceChildren(...nodes);
	let isWaiting = false;
	const follow = state => {
		isWaiting = state.waiting;
		tell(lineText(state));
	};
	const show = () => pair([ '--background' ]).then(text => follow(JSON.parse(text)));
	const join = () => pair(typed.value.trim().replace(/^gwha +pair +/, '').split(/ +/)).then(() => follow({ text: 'Paired with ' }));
	if (earlier.waiting)
		follow(earlier);
	poll.add(() => isWaiting ? pair([ '--show' ]).then(text => follow(JSON.parse(text))) : Promise.resolve(), 3);
	return E('div', { 'class': 'cbi-section', 'id': 'gwha-pair' }, [
		E('h3', {}, [ _('Pair with another router') ]),
		E('p', {}, [ _('Both get the same key and the same configuration, and gwha is started on both. Each needs an address of its own in the LAN first.') ]),
		E('p', {}, [ button('gwha-offer', _('Show a line for the other router'), show) ]),
		E('p', {}, [ _('Or type the line of the other router:'), ' ', typed, ' ', button('gwha-join', _('Pair'), join) ]),
		told ]);
}

/* --- the page -------------------------------------------------------------------------------------- */

/* Everything hangs on the section of the daemon, so that the switch stands above the first segment. */
function addDaemon(map) {
	const s = map.section(form.NamedSection, names('gwha')[0], 'gwha');
	const part = (tab, type, hint) => s.taboption(tab, form.SectionValue, '_' + tab, form.TypedSection, type, null, hint).subsection;
	s.tab('segments', _('Segments'));
	s.tab('groups', _('Groups'));
	s.tab('tracks', _('Checks'));
	s.tab('sync', _('Between the routers'));
	s.tab('service', _('Service'));
	addFlag(s, 'segments', 'enabled', _('Enabled'), _('On both routers, as soon as both have an address of their own.'), true, {
		optional: false,
		rmempty: false,
		validate: (id, value) => value !== '1' || names('instance').length > 0 || _('needs a segment')
	});
	addInstances(part('segments', 'instance',
		_('A segment is a network with an address that moves between the routers. One for the LAN is enough to begin with.')));
	addGroups(part('groups', 'group',
		_('Segments of a group move together. A gateway with a LAN and a WAN is one group.')));
	addTracks(part('tracks', 'track',
		_('A check lowers the priority of a router while it fails. Check the carrier router, not the internet: a fault of the carrier must not move anything.')));
	addSync(part('sync', 'sync',
		_('The encrypted channel by which DHCP leases and files follow the master.')));
	addChoice(s, 'service', 'log_level', _('Log messages from'), null, [ [ 'info', _('Changes') ], [ 'warn', _('Warnings') ],
		[ 'error', _('Errors') ], [ 'debug', _('Everything') ] ]);
	addFlag(s, 'service', 'realtime', _('Before every ordinary program'), _('For intervals of 100 ms and less on a busy router.'), false);
	add(s, 'service', form.Value, 'service_command', _('Command for services'), _('Where they have no script in /etc/init.d: run with the name and start, stop, running or reload.'), { validate: PATH });
	add(s, 'service', form.Value, 'dnsmasq_dir', _('Directory of DHCP settings'), _('Where the DHCP server reads further files, if not given: as its configuration says.'), { validate: PATH });
	addOnly(s, 'service');
}

function alertBox(id, kind, content) {
	return E('div', { 'class': 'alert-message ' + kind, 'id': 'gwha-' + id }, content);
}

/* What should be known before saving. */
function hints(status) {
	const found = [];
	const config = status.config || {};
	if (config.state === 'rejected')
		found.push(alertBox('rejected', 'danger', [
			E('p', {}, [ _('gwha has rejected this configuration. What was in force before still is.') ]),
			E('ul', {}, (config.errors || []).map(error => E('li', {}, [ error ]))) ]));
	if (status.role === 'backup') {
		const follows = (status.files || []).some(file => file.path === '/etc/config/gwha' || '/etc/config/gwha'.indexOf(file.path + '/') === 0);
		found.push(alertBox('standby', 'warning', [ E('p', {}, [ follows
			? _('This router is the standby. Its configuration follows the master: what you save here does not last. Change it on the master.')
			: _('This router is the standby. Make the same change on the master too: both need the same configuration.') ]) ]));
	}
	return found;
}

return view.extend({
	load() {
		return Promise.all([ uci.load('gwha'), callStatus().catch(() => ({})),
			L.hasViewPermission() === false ? {} : pair([ '--show' ]).then(JSON.parse).catch(() => ({})) ]);
	},

	/* A first visit finds the short form: one segment, to be filled in. Nothing is stored before Save. */
	prepare() {
		if (!names('gwha').length)
			uci.add('gwha', 'gwha', 'main');
		if (!names('instance').length) {
			uci.add('gwha', 'instance', 'lan');
			uci.set('gwha', 'lan', 'interface', 'lan');
			uci.set('gwha', 'lan', 'vrid', '51');
		}
	},

	render(loaded) {
		this.prepare();
		const map = new form.Map('gwha', _('Gateway HA'),
			_('Two routers act as one gateway. Give both the same configuration: each finds itself by its own address.'));
		addDaemon(map);
		// A pair that works needs no other; the form is what it came for.
		const isPaired = (loaded[1].peer || {}).connected === true;
		return map.render().then(node => E('div', {}, hints(loaded[1]).concat(isPaired ? [ node ] : [ pairing(loaded[2]), node ])));
	}
});
