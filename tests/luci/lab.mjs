// Two gwha daemons in network namespaces of their own, with a carrier router between them.
import { execFileSync, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
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
		this.nodes[name] = { space, etc, config: join(etc, 'config/gwha'), runDir: join(this.dir, name, 'run'), hostName: `gw-${name}` };
	}

	write(name, config) {
		writeFileSync(this.nodes[name].config, config);
	}

	/* Gives all routers the same key, and so a channel, as `gwha pair` does. */
	pair() {
		for (const node of Object.values(this.nodes))
			writeFileSync(join(node.etc, 'gwha/key'), `${'5a'.repeat(32)}\n`, { mode: 0o600 });
	}

	unpair() {
		for (const node of Object.values(this.nodes))
			rmSync(join(node.etc, 'gwha/key'), { force: true });
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
		const line = [ 'netns', 'exec', node.space, 'unshare', '--uts', '--mount', 'sh', '-c',
			'hostname "$0" && mount --bind "$1" /etc && shift && exec "$@"', node.hostName, node.etc,
			this.program, 'run', '--stderr', '--run-dir', node.runDir ];
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

	/* The program's answer, or an error with `notRunning`. */
	async ask(name, command) {
		const node = this.nodes[name];
		const line = [ ...command, '--config', node.config, '--run-dir', node.runDir ];
		const { stdout, code } = await run(this.program, line).then(out => ({ ...out, code: 0 }), error => error);
		if (code === 3)
			throw Object.assign(new Error('not running'), { notRunning: true });
		return stdout;
	}

	/* Carries out a command, or throws the program's own words. */
	async order(name, command) {
		const node = this.nodes[name];
		await run(this.program, [ ...command, '--config', node.config, '--run-dir', node.runDir ])
			.catch(error => { throw new Error((error.stdout + error.stderr).trim()); });
	}

	/* Until `act` no longer fails: the routers refuse a switch while the one before is not settled. */
	async patiently(act) {
		for (let round = 0; ; round++) {
			try {
				return await act();
			}
			catch (error) {
				if (round === 20)
					throw error;
				await new Promise(done => setTimeout(done, 500));
			}
		}
	}

	async status(name) {
		return JSON.parse(await this.ask(name, [ 'status', '--json' ]));
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
		for (const name of Object.keys(this.nodes))
			await this.stop(name);
		for (const name of [ 'a', 'b', 'c' ])
			ip(`netns del ${this.tag}${name}`);
		rmSync(this.dir, { recursive: true });
	}
}
