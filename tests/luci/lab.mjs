// Two gwha daemons in network namespaces of their own, with a carrier router between them.
import { execFileSync, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync, openSync } from 'node:fs';
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
		this.nodes[name] = { space, config: join(this.dir, `${name}.conf`), runDir: join(this.dir, name), hostName: `gw-${name}` };
	}

	link(name, net, state) {
		ip(`-n ${this.tag}c link set ${net}-${name} ${state}`);
	}

	carrier(state) {
		ip(`-n ${this.tag}c addr ${state === 'up' ? 'add' : 'del'} 10.0.0.1/24 dev wan`);
	}

	start(name, config = CONFIG, hostName) {
		const node = this.nodes[name];
		writeFileSync(node.config, config);
		const log = openSync(join(this.dir, `${name}.log`), 'a');
		node.child = spawn('ip', [ 'netns', 'exec', node.space, 'unshare', '--uts', 'sh', '-c', 'hostname "$0" && exec "$@"',
			hostName || node.hostName, this.program, 'run', '--stderr', '--config', node.config, '--run-dir', node.runDir ],
		{ stdio: [ 'ignore', log, log ] });
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
