import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

const features = ['live', 'playback', 'library', 'cameras', 'events', 'settings'];
const tauri = { group: ['@tauri-apps/*'], message: 'Only src/shell talks to the desktop window.' };
const upward = { group: ['**/App.svelte', '**/main'], message: 'Nothing imports the application.' };
const feature = (names) => ({
  regex: `^(\\.\\./)+(${names.join('|')})(/|$)`,
  message: 'Features know api, kit, lib and shell, never each other.',
});
const restrict = (files, ...patterns) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [upward, ...patterns] }] },
});

export default ts.config(
  { ignores: ['dist', 'node_modules', 'src/api/schema.d.ts'] },
  ...ts.configs.recommendedTypeChecked,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      globals: { ...globals.browser },
      parserOptions: { projectService: { allowDefaultProject: ['*.js'] }, extraFileExtensions: ['.svelte'] },
    },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': ['error', { allow: ['warn', 'error'] }],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
    rules: {
      'svelte/no-at-html-tags': 'error',
      'svelte/button-has-type': 'error',
      // Lists are replaced as a whole ($state.raw), so plain sets and maps inside are meant.
      'svelte/prefer-svelte-reactivity': 'off',
      // The compiler, through svelte-check, knows which warnings there are.
      'svelte/no-unused-svelte-ignore': 'off',
      // Paths come from the router, which knows nothing of SvelteKit.
      'svelte/no-navigation-without-resolve': 'off',
      // svelte-check has the types of markup and of generic properties; this parser does not.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
    },
  },
  { files: ['*.js'], ...ts.configs.disableTypeChecked },
  restrict(['src/**/*.{ts,svelte}'], tauri),
  restrict(['src/{api,kit,lib}/**/*.{ts,svelte}'], tauri, feature(features)),
  ...features.map((own) =>
    restrict([`src/${own}/**/*.{ts,svelte}`], tauri, feature(features.filter((f) => f !== own))),
  ),
  restrict(['src/save/**/*.{ts,svelte}'], tauri, feature(features)),
  restrict(['src/shell/**/*.{ts,svelte}'], feature(features)),
  { files: ['src/App.svelte', 'src/main.ts'], rules: { 'no-restricted-imports': ['error', { patterns: [tauri] }] } },
);
