'use strict';
'require view';
'require rpc';
'require poll';
'require ui';
'require uci';

/*
 * Status > Gateway HA.
 *
 * Everything that the daemon says, and what it repeats from the network, reaches the page as a text node only.
 * Ages count from the arrival of an answer, so that neither router's clock matters.
 */

const callStatus = rpc.declare({ object: 'gwha', method: 'status', expect: { '': {} }, reject: true });
const callHistory = rpc.declare({ object: 'gwha', method: 'history', params: [ 'limit' ], expect: { events: [] }, reject: true });
const callSwitch = rpc.declare({ object: 'gwha', method: 'switch', params: [ 'to' ], expect: { '': {} }, reject: true });
const callMaintenance = rpc.declare({ object: 'gwha', method: 'maintenance', params: [ 'on' ], expect: { '': {} }, reject: true });
const callSync = rpc.declare({ object: 'gwha', method: 'sync', expect: { '': {} }, reject: true });

const REFRESH = 5;
const HISTORY = 30;
const UNKNOWN = '–';

/* --- words ------------------------------------------------------------------ */

function roleName(role) {
	switch (role) {
	case 'master': return _('Master');
	case 'backup': return _('Standby');
	case 'fault': return _('Fault');
	case 'init': return _('Starting');
	case 'mixed': return _('Mixed');
	default: return role || UNKNOWN;
	}
}

function healthName(health) {
	switch (health) {
	case 'healthy': return _('Healthy');
	case 'degraded': return _('Degraded');
	case 'critical': return _('Critical');
	default: return health || UNKNOWN;
	}
}

function stateName(state) {
	switch (state) {
	case 'up': return _('Up');
	case 'down': return _('Down');
	case 'unknown': return _('Not known yet');
	case 'alive': return _('Heard');
	case 'silent': return _('Silent');
	case 'misconfigured': return _('Configured differently');
	case 'in_sync': return _('In sync');
	case 'differs': return _('Differs');
	case 'pending': return _('On its way');
	case 'failed': return _('Failed');
	default: return state || UNKNOWN;
	}
}

/* Reasons that need no detail are translated; the others are the daemon's words. */
function causeText(code, cause) {
	switch (code) {
	case 'started': return _('gwha was started');
	case 'resumed': return _('gwha was started again and went on as before');
	case 'master_down': return _('No other master was heard');
	case 'preempt': return _('The preferred router took back');
	case 'operator': return _('Switched by an operator');
	case 'fault_ended': return _('The fault is over');
	case 'terminated': return _('gwha was stopped');
	case 'reconfigured': return _('The configuration was changed');
	default: return cause || '';
	}
}

/* Why a command was not carried out, where the daemon's words are not for everybody. */
function refusalText(words) {
	const plain = {
		'another switch is under way': _('The routers have not settled after the last switch yet. Try again in a few seconds.'),
		'no other router took over in time': _('No other router took over in time.'),
		'that router is master already': _('That router is master already.'),
		'sync is not configured': _('The synchronisation is not set up.'),
		'the daemon is stopping': _('gwha is just being stopped.')
	};
	return plain[words] || words || _('No reason was given.');
}

/* What can be done about a warning. */
function advice(code) {
	switch (code) {
	case 'config_rejected': return _('Correct the configuration. Until then the one before stays in force.');
	case 'disabled': return _('Enable it under Services, Gateway HA.');
	case 'maintenance': return _('End the maintenance when the work on this router is done.');
	case 'no_master': return _('Nobody serves the network. Look at the other router, and at the links of both.');
	case 'two_masters': return _('The routers do not hear each other everywhere. Look at the cables, the switch and the firewall between them.');
	case 'serving_faulted': return _('This router serves because the other one is no better. Repair what is named here on either of them.');
	case 'link': return _('Look at the cable and at the interface.');
	case 'send_failed': return _('Look at the interface and at the address of this router.');
	case 'member_silent': return _('Look at the cable, the switch and the firewall of this segment.');
	case 'misconfigured': return _('Use the same configuration on both routers.');
	case 'lowered': return _('Repair what lowers it. Until then the other router may be the better one.');
	case 'config': return _('Correct this line of the configuration.');
	case 'ubus': return _('It is asked again by itself. If that does not help, restart this router.');
	case 'log_lost': return _('Restart the log daemon.');
	case 'track_down': return _('Look at what is checked. If it is really gone, nothing is to be done here.');
	case 'not_applied': return _('It is tried again by itself. If that does not help, look at the system log.');
	case 'peer_key': return _('Give both routers the same key, under Services, Gateway HA.');
	case 'key_missing': return _('Generate a key under Services, Gateway HA, and enter it on both routers.');
	case 'key_refused': return _('Generate a new key under Services, Gateway HA, and enter it on both routers.');
	case 'peer_host_dead': return _('Look at the other router and at the link between the two.');
	case 'peer_process_dead': return _('Start gwha on the other router, and read its system log.');
	case 'peer_channel': return _('Allow the channel in the firewall of both routers.');
	case 'peer_segment': return _('Look at the cable, the switch and the firewall of this segment.');
	case 'peer_version': return _('Install the same version on both routers.');
	case 'peer_maintenance': return _('End the maintenance when the work on the other router is done.');
	case 'peer_name': return _('Give each router a host name of its own, under System.');
	case 'files_aside': return _('Compare what is kept aside with what the other router has now, and delete it when it is of no more use.');
	case 'conflict': return _('Find the device that uses this address, and give it another one.');
	case 'foreign': return _('Remove the address from the network configuration: gwha will not take what belongs to somebody else.');
	default: return null;
	}
}

function span(seconds) {
	const whole = Math.max(0, Math.floor(seconds));
	if (whole < 60)
		return _('%d s').format(whole);
	if (whole < 3600)
		return _('%d min %d s').format(Math.floor(whole / 60), whole % 60);
	if (whole < 86400)
		return _('%d h %d min').format(Math.floor(whole / 3600), Math.floor(whole / 60) % 60);
	return _('%d d %d h').format(Math.floor(whole / 86400), Math.floor(whole / 3600) % 24);
}

/* --- elements ---------------------------------------------------------------- */

function known(value) {
	return value !== undefined && value !== null && value !== '';
}

function text(value) {
	return known(value) ? String(value) : UNKNOWN;
}

/* A word in a coloured box. */
function label(kind, words) {
	return E('span', { 'class': kind ? 'label ' + kind : 'label' }, [ String(words) ]);
}

function roleLabel(role) {
	const kinds = { master: 'success', backup: 'notice', fault: 'warning', mixed: 'warning' };
	return label(kinds[role] || '', roleName(role));
}

function stateLabel(state) {
	const kinds = {
		up: 'success', alive: 'success', in_sync: 'success', down: 'warning', failed: 'warning',
		misconfigured: 'warning', differs: 'warning', pending: 'notice'
	};
	return label(kinds[state] || '', stateName(state));
}

/* An age that grows by itself; see tick(). */
function age(seconds, received) {
	if (!known(seconds))
		return document.createTextNode(UNKNOWN);
	return E('span', {
		'data-since': String(Math.round(received - seconds * 1000))
	}, [ _('%s ago').format(span((performance.now() - received) / 1000 + seconds)) ]);
}

function tick(root) {
	const now = performance.now();
	root.querySelectorAll('[data-since]').forEach(node => {
		const words = _('%s ago').format(span((now - Number(node.getAttribute('data-since'))) / 1000));
		if (node.textContent !== words)
			node.textContent = words;
	});
}

function lines(items) {
	return items.length ? items.map(item => E('div', {}, item)) : [ UNKNOWN ];
}

/* With `isPlain`, no titles are repeated in each row on a phone. */
function table(titles, rows, emptyText, isPlain) {
	const head = E('tr', { 'class': 'tr table-titles' }, titles.map(title => E('th', { 'class': 'th' }, [ title ])));
	const body = rows.map((row, number) => E('tr', { 'class': 'tr cbi-rowstyle-%d'.format(number % 2 + 1) },
		row.map((cell, column) => E('td', { 'class': 'td top', 'data-title': isPlain ? null : titles[column] }, [].concat(cell)))));
	if (!body.length)
		return E('p', {}, [ E('em', {}, [ emptyText ]) ]);
	return E('table', { 'class': 'table' }, [ head ].concat(body));
}

function section(id, title, content) {
	return E('div', { 'class': 'cbi-section', 'id': 'gwha-' + id }, [ E('h3', {}, [ title ]) ].concat(content));
}

/* Makes `old` look like `fresh` and keeps every node that can stay: what is selected, stays selected. */
function patch(old, fresh) {
	if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
		old.parentNode.replaceChild(fresh, old);
		return;
	}
	if (old.nodeType !== Node.ELEMENT_NODE) {
		if (old.nodeValue !== fresh.nodeValue)
			old.nodeValue = fresh.nodeValue;
		return;
	}
	Array.from(old.attributes).forEach(attribute => {
		if (!fresh.hasAttribute(attribute.name))
			old.removeAttribute(attribute.name);
	});
	Array.from(fresh.attributes).forEach(attribute => {
		if (old.getAttribute(attribute.name) !== attribute.value)
			old.setAttribute(attribute.name, attribute.value);
	});
	const wanted = Array.from(fresh.childNodes);
	const present = Array.from(old.childNodes);
	wanted.forEach((child, index) => {
		if (index < present.length)
			patch(present[index], child);
		else
			old.appendChild(child);
	});
	present.slice(wanted.length).forEach(child => old.removeChild(child));
}

/* --- the parts of the page ---------------------------------------------------- */

const CRITICAL = [ 'two_masters', 'no_master', 'serving_faulted' ];

/* The master that this router follows, by the name that the page has for it. */
function masterOf(status) {
	const followed = (status.groups || []).map(group => group.master).filter(known)[0];
	if (!followed)
		return null;
	const router = others(status).filter(other => other.heard.some(peer => peer.address === followed.address))[0];
	return router ? otherName(router) : followed.address;
}

function headline(status) {
	switch (status.role) {
	case 'master':
		return _('This router serves the network.');
	case 'backup':
		return masterOf(status) ? _('This router is on standby: %s serves the network.').format(masterOf(status))
			: _('This router is on standby, and no master is heard.');
	case 'fault':
		return _('This router can not serve the network.');
	case 'mixed':
		return _('The groups of this router have different roles.');
	default:
		return _('This router does not know its role yet.');
	}
}

function verdict(status, received) {
	const kinds = { healthy: [ 'notice', 'success' ], degraded: [ 'warning', 'warning' ], critical: [ 'danger', 'warning' ] };
	const kind = kinds[status.health] || kinds.degraded;
	const worst = (status.warnings || []).filter(warning => CRITICAL.indexOf(warning.code) >= 0)[0];
	const why = causeText(status.cause_code, status.cause);
	const row = [ roleLabel(status.role), ' ', label(kind[1], healthName(status.health)), ' ' ];
	if (status.maintenance)
		row.push(label('warning', _('Maintenance')), ' ');
	row.push(E('strong', {}, [ headline(status) ]));
	if (worst)
		row.push(' ', worst.message, '.');
	if (known(status.since))
		row.push(' ', why ? why + ', ' : '', age(status.since, received), '.');
	return E('div', { 'class': 'alert-message ' + kind[0], 'id': 'gwha-verdict' }, [ E('p', {}, row) ]);
}

function warnings(status) {
	const found = status.warnings || [];
	if (!found.length)
		return [];
	return [ section('warnings', _('What needs attention'), [
		table([ _('Warning'), _('What to do') ],
			found.map(warning => [ text(warning.message), advice(warning.code) || UNKNOWN ]), '')
	]) ];
}

/* The other routers, each with what is heard of it in every instance. */
function others(status) {
	const groups = status.groups || [];
	const instances = status.instances || [];
	const first = groups.length ? groups[0].name : null;
	const lead = instances.filter(instance => instance.group === first)[0] || instances[0];
	const channel = status.peer || {};
	const listed = lead ? lead.peers || [] : [];
	if (!listed.length && known(channel.address))
		return [ { address: channel.address, heard: [], channel: channel } ];
	return listed.map((peer, place) => {
		const heard = instances.map(instance => (instance.peers || [])[place]).filter(known);
		const isChannel = listed.length === 1 || heard.some(it => it.address === channel.address);
		return { address: peer.address, heard: heard, channel: isChannel ? channel : {} };
	});
}

function otherRole(status, other) {
	if (other.channel.connected && known(other.channel.role))
		return [ roleLabel(other.channel.role) ].concat(other.channel.maintenance ? [ ' ', label('warning', _('Maintenance')) ] : []);
	const addresses = other.heard.map(peer => peer.address);
	const follows = (status.groups || []).some(group => group.master && addresses.indexOf(group.master.address) >= 0);
	if (follows)
		return [ roleLabel('master') ];
	if (status.role === 'master')
		return [ _('Not known: a standby is silent') ];
	return [ _('Not known') ];
}

function latest(heard) {
	return heard.filter(peer => known(peer.last_heard)).sort((a, b) => a.last_heard - b.last_heard)[0];
}

function channelState(channel, received) {
	if (channel.connected)
		return [ label('success', _('Connected')), ' ', age(channel.since, received) ];
	if (channel.state === 'off' || !known(channel.address))
		return [ _('Not set up') ];
	return [ label('warning', _('Not connected')), ' ', age(channel.since, received) ].concat(known(channel.error) ? [ ': ', channel.error ] : []);
}

function ownPriority(status) {
	return joined((status.groups || []).map(group => {
		const said = known(group.base_priority) && group.base_priority !== group.priority
			? _('%d instead of %d').format(group.priority, group.base_priority) : String(group.priority);
		return status.groups.length > 1 ? group.name + ': ' + said : said;
	}));
}

/* One cell for each router, a line for each fact: side by side on a phone too. */
function facts(pairs) {
	return pairs.map(pair => E('div', {}, [ E('strong', {}, [ pair[0] ]), ': ' ].concat(pair[1])));
}

function joined(items) {
	return items.length ? items.join(', ') : UNKNOWN;
}

function thisRouter(status, received) {
	const isRejected = status.config && status.config.state === 'rejected';
	const held = (status.groups || []).reduce((all, group) => all.concat(group.blocked_by || []), []);
	return facts([
		[ _('Role'), [ roleLabel(status.role) ] ],
		[ _('Priority'), [ ownPriority(status) ] ],
		[ _('Addresses'), [ joined((status.instances || []).map(instance => instance.source).filter(known)) ] ],
		[ _('Configuration'), [ isRejected ? label('warning', _('Rejected')) : label('success', _('Applied')) ] ],
		[ _('Version'), [ text(status.version) ] ],
		[ _('Started'), [ age(status.uptime, received) ] ]
	].concat(held.length ? [ [ _('Held back by'), [ held.join('; ') ] ] ] : []));
}

function otherRouter(status, other, received) {
	const last = latest(other.heard);
	const equal = other.channel.config_equal;
	return facts([
		[ _('Role'), otherRole(status, other) ],
		[ _('Priority'), [ last && known(last.priority) ? _('%d, as heard last').format(last.priority) : _('Not known') ] ],
		[ _('Addresses'), [ joined(other.heard.length ? other.heard.map(peer => peer.address) : [ text(other.address) ]) ] ],
		[ _('Configuration'), [ equal === true ? label('success', _('The same')) : equal === false
			? label('warning', _('Different')) : _('Not known') ] ],
		[ _('Version'), [ known(other.channel.version) ? other.channel.version : _('Not known') ] ],
		[ _('Started'), [ known(other.channel.uptime) ? age(other.channel.uptime, received) : _('Not known') ] ],
		[ _('Last advert'), [ last ? age(last.last_heard, received) : _('Never heard') ] ],
		[ _('Channel'), channelState(other.channel, received) ]
	]);
}

function otherName(other) {
	return known(other.channel.name) ? other.channel.name : text(other.address);
}

function routers(status, received) {
	const rest = others(status);
	const titles = [ _('This router: %s').format(text(status.node)) ].concat(
		rest.map(other => _('Other router: %s').format(otherName(other))));
	const row = [ thisRouter(status, received) ].concat(rest.map(other => otherRouter(status, other, received)));
	return section('routers', _('Routers'), [ table(titles, [ row ], '') ]);
}

/* One group alone is told by the verdict and the routers. */
function groups(status, received) {
	if ((status.groups || []).length < 2)
		return [];
	return section('groups', _('Groups'), [ table(
		[ _('Group'), _('Role'), _('Priority'), _('Segments'), _('Held back by'), _('Last change') ],
		(status.groups || []).map(group => [
			text(group.name),
			roleLabel(group.role),
			known(group.base_priority) ? _('%d of %d').format(group.priority, group.base_priority) : text(group.priority),
			(group.instances || []).join(', '),
			lines((group.blocked_by || []).map(reason => [ reason ])),
			[ E('div', {}, [ age(group.since, received) ]), E('div', {}, [ causeText(group.cause_code, group.cause) ]) ]
		]), '') ]);
}

function counters(instance) {
	const counted = instance.counters || {};
	const refused = Object.entries(counted.rejected || {});
	return [ [ _('%d sent, %d received').format(counted.sent || 0, counted.received || 0) ] ].concat(
		refused.map(([ reason, count ]) => [ _('%d refused: %s').format(count, reason) ]));
}

function instances(status, received) {
	return section('instances', _('Virtual addresses'), [ table(
		[ _('Segment'), _('State'), _('Addresses'), _('Interface'), _('Other routers'), _('Adverts') ],
		(status.instances || []).map(instance => [
			[ E('div', {}, [ text(instance.name) ]), E('small', {}, [ _('VRID %d, VRRP %d, %s').format(
				instance.vrid, instance.version, instance.mode) ]) ],
			[ roleLabel(instance.state) ].concat(known(instance.problem) ? [ E('div', {}, [ instance.problem ]) ] : []),
			lines((instance.vips || []).map(vip => [ vip ])),
			known(instance.device) && instance.device !== instance.interface
				? _('%s (%s)').format(instance.interface, instance.device) : text(instance.interface),
			lines((instance.peers || []).map(peer => peerLine(status, peer, received))),
			lines(counters(instance))
		]), _('No segment is configured.')) ]);
}

/* While this router is master, silence is what a standby should keep. */
function peerLine(status, peer, received) {
	const isExpected = peer.state === 'silent' && status.role === 'master';
	const state = isExpected ? _('silent, as a standby is; last heard:') : stateLabel(peer.state);
	const row = [ text(peer.address), ' ', state ];
	if (known(peer.mismatch))
		row.push(' ', peer.mismatch);
	if (known(peer.last_heard) || isExpected)
		row.push(' ', age(peer.last_heard, received));
	return row;
}

function effectText(effect) {
	switch (effect) {
	case 'none': return _('None');
	case 'fault': return _('This router is at fault');
	case 'remembered': return _('None: as it was before this router was standby');
	case 'damped': return _('Held back until it is steady');
	default: return /^-[0-9]+$/.test(effect) ? _('Priority %s').format(effect) : text(effect);
	}
}

function checks(status, received) {
	return section('checks', _('Checks'), [ table(
		[ _('Check'), _('State'), _('Targets'), _('In a row'), _('Since'), _('Effect now') ],
		(status.tracks || []).map(track => [
			_('%s (%s)').format(text(track.name), text(track.type)),
			stateLabel(track.state),
			lines((track.targets || []).map(target => [ target.target, ' ', stateLabel(target.state),
				known(target.rtt_ms) ? ' ' + _('%.1f ms').format(target.rtt_ms) : '' ])),
			_('%d (%d the other way change it)').format(track.streak, track.needed),
			age(track.since, received),
			effectText(track.effect)
		]), _('Nothing is checked. A check of the carrier router notices when this router has lost the internet.')) ]);
}

function actions(status) {
	return section('actions', _('What the role asks of the system'), [ table(
		[ _('What'), _('Is') ],
		(status.actions || []).map(action => [
			_('%s %s').format(text(action.kind), text(action.name)),
			(action.wanted === action.observed ? [ label(known(action.error) ? 'warning' : 'success', text(action.observed)) ]
				: [ label('warning', text(action.observed)), ' ', _('should be %s').format(text(action.wanted)) ]).concat(
				known(action.error) ? [ E('div', {}, [ action.error, known(action.retry_in)
					? ' ' + _('Tried again in %s.').format(span(action.retry_in)) : '' ]) ] : [])
		]), _('Nothing.')) ]);
}

function hasSync(status) {
	return known((status.leases || {}).count) || (status.files || []).length > 0 || known((status.peer || {}).address);
}

function sync(status, received) {
	const leases = status.leases || {};
	if (!hasSync(status))
		return section('sync', _('Leases and files'), [ E('p', {}, [ E('em', {}, [
			_('Not set up: after a switch the other router does not know the DHCP leases.') ]) ]) ]);
	const isFailed = known(leases.last_error);
	const rows = known(leases.count) || isFailed ? [ [
		_('DHCP leases: %s here, %s there').format(text(leases.count), text(leases.peer_count)),
		isFailed ? stateLabel('failed') : stateLabel(leases.pending ? 'pending' : known(leases.last_success) ? 'in_sync' : 'unknown'),
		known(leases.last_success) ? age(leases.last_success, received) : _('Never'),
		isFailed ? leases.last_error : UNKNOWN
	] ] : [];
	const files = (status.files || []).map(file => [
		E('div', {}, [ text(file.path) ].concat((file.asides || []).map(path => E('div', {}, [ E('em', {}, [ _('Kept aside: %s').format(path) ]) ])))),
		stateLabel(file.state),
		known(file.last_success) ? age(file.last_success, received) : _('Never'),
		text(file.last_error)
	]);
	return section('sync', _('Leases and files'), [
		table([ _('What'), _('State'), _('Last success'), _('Last error') ], rows.concat(files), _('Nothing has come over the channel yet.'))
	]);
}

function history(events, received) {
	return section('history', _('History'), [ table(
		[ _('When'), _('What happened') ],
		events.slice().reverse().map(event => [
			age(event.age, received),
			event.event === 'role' && known(event.to)
				? [ roleLabel(event.to), ' ', known(event.group) ? event.group + ': ' : '', causeText(event.cause_code, event.cause),
					known(event.from) ? ' ' + _('(before: %s)').format(roleName(event.from)) : '' ]
				: text(event.message)
		]), _('Nothing has happened yet.'), true) ]);
}

/* --- page states without data --------------------------------------------------- */

function failureKind(error) {
	const words = String(error && error.message || error);
	if (words.indexOf('-32002') >= 0 || words.indexOf('ubus code 6') >= 0)
		return 'denied';
	if (words.indexOf('-32000') >= 0 || words.indexOf('ubus code 4') >= 0)
		return 'down';
	return 'unreachable';
}

function notice(id, kind, title, content) {
	return E('div', { 'class': 'alert-message ' + kind, 'id': 'gwha-' + id }, [ E('h4', {}, [ title ]), E('p', {}, content) ]);
}

function link(path, title) {
	return E('a', { 'class': 'btn cbi-button', 'href': L.url(path) }, [ title ]);
}

function isConfigured() {
	return uci.sections('gwha', 'instance').length > 0;
}

function isDisabled() {
	return uci.sections('gwha', 'gwha').some(main => main.enabled === '0');
}

function setUpLink() {
	return link('admin/services/gwha', _('Open the configuration'));
}

function stateWithoutData(failure) {
	if (failure.kind === 'denied')
		return notice('denied', 'warning', _('No access'), [ _('Your user may not see the state of Gateway HA.') ]);
	if (failure.kind === 'unreachable')
		return notice('unreachable', 'danger', _('No answer from this router'), [ failure.message ]);
	if (!isConfigured())
		return notice('unconfigured', 'notice', _('Gateway HA is not configured yet'), [
			_('It takes the addresses of two routers, and one that moves between them.'), ' ', setUpLink() ]);
	if (isDisabled())
		return notice('disabled', 'notice', _('Gateway HA is switched off'), [ setUpLink() ]);
	return notice('down', 'danger', _('gwha is not running'), [
		_('The other router serves the network if it can.'), ' ',
		link('admin/system/startup', _('Start the service')), ' ', link('admin/status/logs', _('Read the system log')) ]);
}

return view.extend({
	load() {
		return uci.load('gwha').catch(() => null).then(() => this.fetch());
	},

	/* Never rejects: a failure is a state of the page. */
	fetch() {
		return Promise.all([ callStatus(), callHistory(HISTORY).catch(() => []) ]).then(([ status, events ]) => ({
			status: status, events: Array.isArray(events) ? events : [], received: performance.now()
		})).catch(error => ({
			failure: { kind: failureKind(error), message: String(error && error.message || error) }
		}));
	},

	/* The verdict above the buttons, and everything else below. */
	compose(answer) {
		if (answer.failure) {
			const state = [ stateWithoutData(answer.failure) ];
			/* An answer that failed to come says nothing about the routers: keep what was seen, with its age. */
			if (answer.failure.kind !== 'unreachable' || !this.seen)
				return [ state, [] ];
			state.push(E('p', {}, [ _('What follows was true'), ' ', age(0, this.seen.received), '.' ]));
			return [ state.concat(this.summary(this.seen)), this.details(this.seen) ];
		}
		this.seen = answer;
		return [ this.summary(answer), this.details(answer) ];
	},

	summary(answer) {
		const start = [ verdict(answer.status, answer.received) ];
		if (!(answer.status.instances || []).length)
			start.push(notice('unconfigured', 'notice', _('Gateway HA has nothing to do'), [
				_('No virtual address is configured and enabled on this router.'), ' ', setUpLink() ]));
		return start.concat(warnings(answer.status));
	},

	details(answer) {
		const status = answer.status;
		const received = answer.received;
		return [].concat(routers(status, received), instances(status, received), groups(status, received),
			checks(status, received), actions(status), sync(status, received), history(answer.events, received));
	},

	show(answer) {
		this.compose(answer).forEach((parts, at) => patch(this.bodies[at], E('div', {}, parts)));
		this.enable(answer);
	},

	refresh() {
		return this.fetch().then(answer => this.show(answer));
	},

	/* The buttons stay, so that one that has the focus keeps it. */
	enable(answer) {
		const status = answer.status || {};
		const isReadOnly = L.hasViewPermission() === false;
		const buttons = this.buttons;
		this.current = status;
		const forbid = (button, isForbidden, why) => {
			button.disabled = isReadOnly || isForbidden;
			const title = isReadOnly ? _('Your user may look, but not change anything.') : isForbidden ? why : '';
			button.setAttribute('title', title);
		};
		const isServing = status.role === 'master';
		buttons.move.textContent = isServing ? _('Hand over to the other router') : _('Take over the network');
		buttons.maintenance.textContent = status.maintenance ? _('End maintenance') : _('Begin maintenance');
		forbid(buttons.move, !isServing && status.role !== 'backup', _('Only a master or a standby can be switched.'));
		forbid(buttons.maintenance, !answer.status, _('gwha gives no answer.'));
		forbid(buttons.sync, !answer.status || !hasSync(status), _('The synchronisation is not set up.'));
	},

	confirm(title, words, confirmText, act) {
		return ui.showModal(title, [
			E('p', {}, [ words ]),
			E('div', { 'class': 'right' }, [
				E('button', { 'class': 'btn cbi-button', 'click': ui.hideModal }, [ _('Cancel') ]), ' ',
				E('button', { 'class': 'btn cbi-button cbi-button-action important', 'id': 'gwha-confirm',
					'click': ui.createHandlerFn(this, 'carryOut', act) }, [ confirmText ])
			])
		]);
	},

	carryOut(act) {
		return act().then(outcome => {
			if (!outcome.done)
				throw new Error(refusalText(outcome.error));
			this.tell('info', known(outcome.took_ms) ? _('Done in %d ms.').format(Math.round(outcome.took_ms)) : _('Done.'));
		}).catch(error => {
			this.tell('danger', _('Not done, and nothing has changed: %s').format(String(error && error.message || error)));
		}).then(() => {
			ui.hideModal();
			return this.refresh();
		});
	},

	tell(kind, words) {
		ui.addNotification(null, E('p', {}, [ words ]), kind);
	},

	handleSwitch() {
		if (this.current.role === 'master')
			return this.confirm(_('Hand over to the other router?'),
				_('The other router becomes master at once. If nobody takes over, nothing changes.'),
				_('Hand over'), () => callSwitch());
		return this.confirm(_('Take over the network?'),
			_('This router becomes master at once, and the other one its standby.'),
			_('Take over'), () => callSwitch('self'));
	},

	handleMaintenance() {
		if (this.current.maintenance)
			return this.confirm(_('End maintenance?'),
				_('This router may serve the network again. If it is the preferred one, it takes back after the usual delay.'),
				_('End maintenance'), () => callMaintenance(false));
		return this.confirm(_('Begin maintenance?'),
			_('This router gives up the role if the other one can serve, and takes it only if nobody else does, also after a reboot.'),
			_('Begin maintenance'), () => callMaintenance(true));
	},

	handleSync() {
		return this.confirm(_('Synchronise now?'), _('Leases and files are compared and copied from the master.'),
			_('Synchronise'), () => callSync());
	},

	render(answer) {
		const button = (id, kind, handler, words) => E('button', {
			'class': 'btn cbi-button ' + kind, 'id': 'gwha-' + id, 'click': ui.createHandlerFn(this, handler)
		}, [ words ]);
		this.buttons = {
			move: button('switch', 'cbi-button-action', 'handleSwitch', _('Take over the network')),
			maintenance: button('maintenance', 'cbi-button-neutral', 'handleMaintenance', _('Begin maintenance')),
			sync: button('sync-now', 'cbi-button-neutral', 'handleSync', _('Synchronise now'))
		};
		this.bodies = [ E('div', {}, []), E('div', {}, []) ];
		const page = E('div', { 'id': 'gwha-page' }, [
			E('h2', {}, [ _('Gateway HA') ]),
			this.bodies[0],
			E('p', { 'id': 'gwha-buttons' }, [ this.buttons.move, ' ', this.buttons.maintenance, ' ', this.buttons.sync ]),
			this.bodies[1]
		]);
		this.show(answer);
		poll.add(() => this.refresh(), REFRESH);
		window.setInterval(() => tick(page), 1000);
		return page;
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
