// Two gwha daemons in network namespaces of their own, each on a bus of its own, with a carrier router between them.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { call, publish } from './ubus.mjs';

const ip = line => execFileSync('ip', line.split(' '), { stdio: [ 'ignore', 'ignore', 'inherit' ] });

export const CONFIG = `config gwha 'main'
	option enabled '1'

config instance 'lan'
	option device 'lan'
	option vrid '51'
	option advert_interval '200'
	list router '192.168.1.2'
	list router '192.168.1.3'
	list vip '192.168.1.1/24'

config instance 'wan'
	option device 'wan'
	option vrid '52'
	option advert_interval '200'
	list router '10.0.0.2'
	list router '10.0.0.3'
	list vip '10.0.0.4/24'

config group 'gateway'
	list instance 'lan'
	list instance 'wan'
	list track 'carrier'
	option preempt_delay '1'

config track 'carrier'
	option type 'ping'
	option device 'wan'
	list target '10.0.0.1'
	option interval '0.5'
	option timeout '0.4'
	option weight '-30'
`;

/* With the channel between the routers; Lab.pair() gives it a key. */
export const PAIRED = `${CONFIG}
config sync 'peer'
	option instance 'lan'
`;

const NETWORK = `config interface 'lan'
	option device 'lan'
	option proto 'static'

config interface 'wan'
	option device 'wan'
	option proto 'static'
`;

export class Lab {
	constructor(program) {
		this.program = program;
		this.dir = mkdtempSync(join(tmpdir(), 'gwha-luci-'));
		this.tag = `gwl${process.pid}`;
		this.nodes = {};
		const carrier = `${this.tag}c`;
		ip(`netns add ${carrier}`);
		for (const net of [ 'lan', 'wan' ]) {
			ip(`-n ${carrier} link add ${net} type bridge`);
			ip(`-n ${carrier} link set ${net} up`);
		}
		ip(`-n ${carrier} addr add 10.0.0.1/24 dev wan`);
		[ 'a', 'b' ].forEach((name, place) => this.#wire(name, place + 2));
	}

	#wire(name, host) {
		const space = `${this.tag}${name}`;
		ip(`netns add ${space}`);
		ip(`-n ${space} link set lo up`);
		for (const [ net, prefix ] of [ [ 'lan', '192.168.1.' ], [ 'wan', '10.0.0.' ] ]) {
			ip(`-n ${space} link add ${net} type veth peer name ${net}-${name} netns ${this.tag}c`);
			ip(`-n ${this.tag}c link set ${net}-${name} master ${net} up`);
			ip(`-n ${space} link set ${net} up`);
			ip(`-n ${space} addr add ${prefix}${host}/24 dev ${net}`);
		}
		const etc = join(this.dir, name, 'etc');
		mkdirSync(join(etc, 'config'), { recursive: true });
		mkdirSync(join(etc, 'gwha'));
		writeFileSync(join(etc, 'config/network'), NETWORK);
		this.nodes[name] = { space, etc, config: join(etc, 'config/gwha'), runDir: join(this.dir, name, 'run'), bus: join(this.dir, name, 'ubus.sock'), hostName: `gw-${name}` };
	}

	/* A bus for each node, with what netifd says of the networks. */
	async open() {
		const all = [ 'lan', 'wan' ].map(name => ({ interface: name, up: true, pending: false, available: true, autostart: true,
			l3_device: name, device: name, proto: 'static' }));
		for (const node of Object.values(this.nodes)) {
			node.broker = spawn(join(dirname(this.program), 'examples/broker'), [ node.bus ], { stdio: 'ignore' });
			while (!existsSync(node.bus))
				await new Promise(done => setTimeout(done, 20));
			node.netifd = await publish(node.bus, 'network.interface', { dump: () => ({ interface: all }) });
		}
		return this;
	}

	write(name, config) {
		writeFileSync(this.nodes[name].config, config);
	}

	/* Gives all routers the same key, and so a channel, as `gwha pair` does. */
	pair() {
		for (const node of Object.values(this.nodes))
			this.key(node, '5a');
	}

	key(node, byte) {
		writeFileSync(join(node.etc, 'gwha/key'), `${byte.repeat(32)}\n`, { mode: 0o600 });
	}

	unpair() {
		for (const node of Object.values(this.nodes))
			rmSync(join(node.etc, 'gwha/key'), { force: true });
	}

	/* The program with these words on a node, with what it prints and its exit code. What it leaves running stays. */
	exec(name, words) {
		const node = this.nodes[name];
		const line = [ ...this.#inside(node), this.program, ...words, '--run-dir', node.runDir ];
		return new Promise(done => execFile('ip', line, (error, stdout, stderr) => done({ code: error ? error.code : 0, stdout, stderr })));
	}

	#inside(node) {
		return [ 'netns', 'exec', node.space, 'unshare', '--uts', '--mount', 'sh', '-c',
			'hostname "$0" && mount --bind "$1" /etc && shift && exec "$@"', node.hostName, node.etc ];
	}

	/* What procd's reload trigger comes to: a daemon that runs reads its file, one that does not is started. */
	reload(name) {
		const node = this.nodes[name];
		if (node.child)
			node.child.kill('SIGHUP');
		else
			this.launch(name);
	}

	link(name, net, state) {
		ip(`-n ${this.tag}c link set ${net}-${name} ${state}`);
	}

	carrier(state) {
		ip(`-n ${this.tag}c addr ${state === 'up' ? 'add' : 'del'} 10.0.0.1/24 dev wan`);
	}

	start(name, config = CONFIG) {
		this.write(name, config);
		this.launch(name);
	}

	/* The daemon of a node sees the node's own /etc. */
	launch(name) {
		const node = this.nodes[name];
		const log = openSync(join(this.dir, `${name}.log`), 'a');
		const line = [ ...this.#inside(node), this.program, 'run', '--stderr', '--run-dir', node.runDir, '--ubus', node.bus ];
		node.child = spawn('ip', line, { stdio: [ 'ignore', log, log ] });
		node.ended = new Promise(done => node.child.once('exit', done));
	}

	async stop(name) {
		const node = this.nodes[name];
		if (!node.child)
			return;
		node.child.kill('SIGTERM');
		await node.ended;
		delete node.child;
	}

	/* A method of the daemon, called over the bus. */
	call(name, method, params = {}) {
		return call(this.nodes[name].bus, 'gwha', method, params);
	}

	status(name) {
		return this.call(name, 'status');
	}

	async until(name, isSo, what) {
		let last;
		for (let round = 0; round < 150; round++) {
			last = await this.status(name).catch(() => null);
			if (last && isSo(last))
				return last;
			await new Promise(done => setTimeout(done, 100));
		}
		throw new Error(`${name} did not become ${what}: ${JSON.stringify(last)}`);
	}

	async end() {
		for (const [ name, node ] of Object.entries(this.nodes)) {
			await this.stop(name);
			node.netifd?.destroy();
			node.broker?.kill();
		}
		// A line that nobody has typed still waits.
		for (const node of Object.values(this.nodes))
			for (const pid of execFileSync('ip', [ 'netns', 'pids', node.space ]).toString().split('\n').filter(pid => pid))
				process.kill(Number(pid));
		for (const name of [ 'a', 'b', 'c' ])
			ip(`netns del ${this.tag}${name}`);
		rmSync(this.dir, { recursive: true });
	}
}
