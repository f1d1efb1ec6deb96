import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// In development the page comes from here and everything under /api from a running `orield serve`.
const recorder = process.env['ORIEL_URL'] ?? 'http://127.0.0.1:8642';

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: ['es2023', 'chrome111', 'safari16.4', 'firefox115'],
    // The content security policy allows no data: scripts or styles, so every asset is a file.
    assetsInlineLimit: 0,
    sourcemap: false,
    // Vite's preload polyfill is an inline script in old browsers; every supported one has it built in.
    modulePreload: { polyfill: false },
  },
  server: {
    port: 5173,
    strictPort: true,
    // The icon is beside this folder.
    fs: { allow: ['..'] },
    proxy: { '/api': { target: recorder, ws: true }, '/metrics': { target: recorder } },
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
