// LuCI's own rules for scripts, as its eslint.config.mjs has them, for the pages; the usual ones for the tests.
import js from '@eslint/js';
import globals from 'globals';

const readonly = names => Object.fromEntries(names.split(' ').map(name => [ name, 'readonly' ]));

export default [
	js.configs.recommended,
	{
		files: [ 'htdocs/**/*.js' ],
		languageOptions: {
			sourceType: 'script',
			globals: { ...globals.browser, ...readonly('_ N_ L E form fs poll rpc uci ui validation view widgets') },
			parserOptions: { ecmaFeatures: { globalReturn: true } }
		},
		rules: { 'strict': 'off', 'no-empty': 'off', 'no-undef': 'error', 'no-control-regex': 'off' }
	},
	{
		files: [ 'harness/**/*.js' ],
		languageOptions: { sourceType: 'script', globals: { ...globals.browser, ...readonly('E L SETUP modules call append') } },
		rules: { 'no-redeclare': 'off', 'no-unused-vars': [ 'error', { varsIgnorePattern: '^(SETUP|modules|call|append)$', caughtErrors: 'none' } ] }
	},
	{
		files: [ '*.mjs' ],
		languageOptions: { globals: { ...globals.node, ...readonly('document window Event matchMedia') } }
	}
];
