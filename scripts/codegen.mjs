// npm run codegen: writes what is generated from the operations table. A test in tests/tidy
// fails when it is stale.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { npmInstall, root, run, stop } from './steps.mjs';

const done = spawnSync('cargo', ['run', '-q', '-p', 'oriel-api', '--example', 'openapi'], { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
if (done.status !== 0) stop('The OpenAPI document could not be made.');
writeFileSync(join(root, 'ui', 'openapi.json'), done.stdout);
npmInstall(join(root, 'ui'));
run('npx', ['openapi-typescript', 'openapi.json', '-o', 'src/api/schema.d.ts'], { cwd: join(root, 'ui') });
