// A client of ubus, as much of one as it takes to call an object, as rpcd does, and to be one, as netifd is:
// https://openwrt.org/docs/techref/ubus
import { createConnection } from 'node:net';

const MESSAGE = { hello: 0, status: 1, data: 2, lookup: 4, invoke: 5, add: 6 };
const ATTRIBUTE = { status: 1, path: 2, object: 3, method: 4, signature: 6, data: 7 };
const TYPE = { array: 1, table: 2, string: 3, int64: 4, int32: 5, int16: 6, int8: 7, double: 8 };
const NOT_FOUND = 4;
const TIMEOUT = 7;

// rpcd waits longer.
const PATIENCE_MS = 3000;

/* An attribute: identifier and length in four bytes, the content, and zeros up to a multiple of four. */
function attribute(id, content, isNamed) {
	const bytes = Buffer.alloc(Math.ceil((4 + content.length) / 4) * 4);
	bytes.writeUInt32BE(((isNamed ? 0x80 | id : id) * 0x1000000) + 4 + content.length);
	content.copy(bytes, 4);
	return bytes;
}

function* attributes(bytes) {
	for (let at = 0; at + 4 <= bytes.length;) {
		const head = bytes.readUInt32BE(at);
		const length = head & 0xffffff;
		yield { id: (head >>> 24) & 0x7f, content: bytes.subarray(at + 4, at + length) };
		at += Math.ceil(length / 4) * 4;
	}
}

const number = value => { const bytes = Buffer.alloc(4); bytes.writeUInt32BE(value); return bytes; };
const text = value => Buffer.from(`${value}\0`);

function field(name, value) {
	const head = Buffer.alloc(Math.ceil((3 + Buffer.byteLength(name)) / 4) * 4);
	head.writeUInt16BE(Buffer.byteLength(name));
	head.write(name, 2);
	const [ type, content ] = Array.isArray(value) ? [ TYPE.array, Buffer.concat(value.map(item => field('', item))) ]
		: typeof value === 'object' ? [ TYPE.table, table(value) ]
		: typeof value === 'string' ? [ TYPE.string, text(value) ]
		: typeof value === 'boolean' ? [ TYPE.int8, Buffer.from([ Number(value) ]) ] : [ TYPE.int32, number(value) ];
	return attribute(type, Buffer.concat([ head, content ]), true);
}

function table(values) {
	return Buffer.concat(Object.entries(values).filter(([ , value ]) => value !== undefined && value !== null).map(pair => field(...pair)));
}

function parse(bytes, isArray) {
	const parts = Array.from(attributes(bytes), ({ id, content }) => {
		const length = content.readUInt16BE();
		const rest = content.subarray(Math.ceil((3 + length) / 4) * 4);
		return [ content.toString('utf8', 2, 2 + length), value(id, rest) ];
	});
	return isArray ? parts.map(part => part[1]) : Object.fromEntries(parts);
}

function value(type, bytes) {
	switch (type) {
	case TYPE.array: return parse(bytes, true);
	case TYPE.table: return parse(bytes, false);
	case TYPE.string: return bytes.toString('utf8', 0, bytes.length - 1);
	case TYPE.int64: return Number(bytes.readBigInt64BE());
	case TYPE.int32: return bytes.readInt32BE();
	case TYPE.int16: return bytes.readInt16BE();
	case TYPE.int8: return bytes[0] !== 0; // There is no other way to write a boolean, and rpcd reads it as one.
	case TYPE.double: return bytes.readDoubleBE();
	default: return null;
	}
}

/* Messages as they come, each as { type, peer, parts }. */
async function* messages(socket) {
	let pending = Buffer.alloc(0);
	for await (const bytes of socket) {
		pending = Buffer.concat([ pending, bytes ]);
		while (pending.length >= 12 && pending.length >= 8 + (pending.readUInt32BE(8) & 0xffffff)) {
			const length = 8 + (pending.readUInt32BE(8) & 0xffffff);
			const parts = Object.fromEntries(Array.from(attributes(pending.subarray(12, length)), it => [ it.id, it.content ]));
			yield { type: pending[1], seq: pending.readUInt16BE(2), peer: pending.readUInt32BE(4), parts };
			pending = pending.subarray(length);
		}
	}
}

function send(socket, type, seq, peer, parts) {
	const head = Buffer.alloc(8);
	head.writeUInt8(type, 1);
	head.writeUInt16BE(seq, 2);
	head.writeUInt32BE(peer, 4);
	socket.write(Buffer.concat([ head, attribute(0, Buffer.concat(parts)) ]));
}

/* Sends a request and returns the parts of the answer's data. Throws { ubus: code } for a status that is not good. */
async function request(socket, stream, type, peer, parts) {
	send(socket, type, 1, peer, parts);
	let data = null;
	for (;;) {
		const { value: message, done } = await stream.next();
		if (done)
			throw Object.assign(new Error('no answer'), { ubus: TIMEOUT });
		if (message.type === MESSAGE.data)
			data = message.parts;
		else if (message.type === MESSAGE.status) {
			const code = message.parts[ATTRIBUTE.status].readUInt32BE();
			if (code !== 0)
				throw Object.assign(new Error(`ubus code ${code}`), { ubus: code, notRunning: code === NOT_FOUND && type === MESSAGE.lookup });
			return data;
		}
	}
}

/* Calls a method over the bus at `path` and returns the reply; an error has `notRunning` if there is no such object. */
export async function call(path, object, method, params) {
	const socket = createConnection(path);
	const stream = messages(socket);
	const timer = setTimeout(() => socket.end().push(null), PATIENCE_MS);
	try {
		await stream.next(); // hello
		const found = await request(socket, stream, MESSAGE.lookup, 0, [ attribute(ATTRIBUTE.path, text(object)) ]);
		const id = found[ATTRIBUTE.object];
		const reply = await request(socket, stream, MESSAGE.invoke, id.readUInt32BE(),
			[ attribute(ATTRIBUTE.object, id), attribute(ATTRIBUTE.method, text(method)), attribute(ATTRIBUTE.data, table(params)) ]);
		return parse(reply[ATTRIBUTE.data], false);
	}
	finally {
		clearTimeout(timer);
		socket.destroy();
	}
}

/* Puts an object with these methods, {name: () => reply}, on the bus at `path`, for as long as the socket that it returns is open. */
export async function publish(path, object, methods) {
	const socket = createConnection(path);
	const stream = messages(socket);
	await stream.next(); // hello
	const signature = table(Object.fromEntries(Object.keys(methods).map(name => [ name, {} ])));
	await request(socket, stream, MESSAGE.add, 0, [ attribute(ATTRIBUTE.path, text(object)), attribute(ATTRIBUTE.signature, signature) ]);
	const answer = async () => {
		for await (const { type, seq, peer, parts } of stream) {
			if (type !== MESSAGE.invoke)
				continue;
			const own = attribute(ATTRIBUTE.object, parts[ATTRIBUTE.object]);
			const reply = methods[value(TYPE.string, parts[ATTRIBUTE.method])]();
			send(socket, MESSAGE.data, seq, peer, [ own, attribute(ATTRIBUTE.data, table(reply)) ]);
			send(socket, MESSAGE.status, seq, peer, [ own, attribute(ATTRIBUTE.status, number(0)) ]);
		}
	};
	answer().catch(() => null); // The bus went away.
	return socket;
}
