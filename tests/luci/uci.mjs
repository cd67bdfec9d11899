// The configuration store behind LuCI: reads and writes files as libuci does, keeps changes aside until they are
// applied, and answers the methods of rpcd's object `uci`.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/* The words of a line: bare, in single or in double quotes; a comment ends it. */
function words(line) {
	const found = [];
	for (const match of line.matchAll(/\s*(#.*$|(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"#\\])+)/gy)) {
		if (match[1].startsWith('#'))
			break;
		found.push(match[1].replace(/'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/g,
			(all, single, double, escaped) => single ?? double?.replace(/\\(.)/g, '$1') ?? escaped));
	}
	return found;
}

/* A package as a list of { name, type, anonymous, options: {name: string or list} }. */
export function parse(text) {
	const sections = [];
	for (const line of text.split('\n')) {
		const [ keyword, first, second ] = words(line);
		const last = sections[sections.length - 1];
		if (keyword === 'config') {
			const known = second !== undefined && sections.find(section => section.name === second);
			sections.push(known ? sections.splice(sections.indexOf(known), 1)[0] : {
				name: second ?? `cfg${(sections.length + 1).toString(16).padStart(2, '0')}f00d`,
				type: first, anonymous: second === undefined, options: {} });
		}
		else if (keyword === 'option')
			last.options[first] = second;
		else if (keyword === 'list')
			last.options[first] = [].concat(last.options[first] ?? [], second);
		else if (keyword !== undefined && keyword !== 'package')
			throw new Error(`not UCI: ${line}`);
	}
	return sections;
}

export function write(sections) {
	const quote = value => `'${String(value).replaceAll("'", "'\\''")}'`;
	return sections.map(section => `\nconfig ${section.type}${section.anonymous ? '' : ` ${quote(section.name)}`}\n`
		+ Object.entries(section.options).map(([ name, value ]) => Array.isArray(value)
			? value.map(item => `\tlist ${name} ${quote(item)}\n`).join('') : `\toption ${name} ${quote(value)}\n`).join('')).join('');
}

export class Uci {
	#staged = {};

	/* Packages are the files of that folder. `applied` is called with the names of those that were written. */
	constructor(folder, applied = () => {}) {
		this.folder = folder;
		this.applied = applied;
	}

	#sections(name) {
		const path = join(this.folder, name);
		return this.#staged[name] ?? (existsSync(path) ? parse(readFileSync(path, 'utf8')) : []);
	}

	#change(name, act) {
		const sections = this.#staged[name] = this.#sections(name);
		return act(sections, wanted => sections.find(section => section.name === wanted));
	}

	get = ({ config }) => ({ values: Object.fromEntries(this.#sections(config).map((section, index) => [ section.name, {
		'.anonymous': section.anonymous, '.type': section.type, '.name': section.name, '.index': index, ...section.options } ])) });

	add = ({ config, type, name, values }) => this.#change(config, sections => {
		const added = name ?? `cfg${(sections.length + 1).toString(16).padStart(2, '0')}beef`;
		sections.push({ name: added, type, anonymous: !name, options: {} });
		this.set({ config, section: added, values: values ?? {} });
		return { section: added };
	});

	/* An empty value removes the option, as in libuci. */
	set = ({ config, section, values }) => this.#change(config, (sections, find) => {
		for (const [ name, value ] of Object.entries(values)) {
			if (value === '' || (Array.isArray(value) && !value.length))
				delete find(section).options[name];
			else
				find(section).options[name] = Array.isArray(value) ? value.map(String) : String(value);
		}
	});

	delete = ({ config, section, option, options }) => this.#change(config, (sections, find) => {
		const names = options ?? (option ? [ option ] : null);
		if (names)
			names.forEach(name => delete find(section).options[name]);
		else
			sections.splice(sections.indexOf(find(section)), 1);
	});

	order = () => undefined;

	/* What `uci changes` would tell, as pairs of what is and what will be. */
	changes = () => ({ changes: Object.fromEntries(Object.keys(this.#staged).filter(name => this.isChanged(name)).map(name => [ name, [ [ 'set' ] ] ])) });

	isChanged(name) {
		const path = join(this.folder, name);
		return name in this.#staged && write(this.#staged[name]) !== write(existsSync(path) ? parse(readFileSync(path, 'utf8')) : []);
	}

	/* The file as it will be. */
	text(name) {
		return write(this.#sections(name));
	}

	revert = ({ config }) => { delete this.#staged[config]; };

	apply = async () => {
		const changed = Object.keys(this.#staged).filter(name => this.isChanged(name));
		changed.forEach(name => writeFileSync(join(this.folder, name), write(this.#staged[name])));
		this.#staged = {};
		await this.applied(changed);
	};

	confirm = () => undefined;

	rollback = () => undefined;
}
