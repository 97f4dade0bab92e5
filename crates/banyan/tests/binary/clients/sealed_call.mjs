// A hospital's client for the access guide, chapter 4, with Node's own `crypto` alone: reports a
// debt, waits for the outcome, asks about the person. Usage: sealed_call.mjs SANDBOX_JSON

import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

// The key is the first 16 bytes of the secret; Node's ciphers pad by PKCS#7.
const keyOf = (secret) => Buffer.from(secret, 'utf8').subarray(0, 16);
const through = (cipher, data) => Buffer.concat([cipher.update(data), cipher.final()]);
const encrypt = (secret, data) => through(createCipheriv('sm4-ecb', keyOf(secret), null), data);
const decrypt = (secret, data) => through(createDecipheriv('sm4-ecb', keyOf(secret), null), data);

const urlSafe = (bytes) => bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');

function signature(members, business, secret) {
  const signed = { ...members, param: business };
  for (const name of ['sign', 'encryptData', 'extendParams']) delete signed[name];
  const names = Object.keys(signed).filter((name) => signed[name] != null).sort();
  const text = [...names.map((name) => `${name}=${signed[name]}`), `key=${secret}`].join('&');
  return urlSafe(createHash('sm3').update(text, 'utf8').digest());
}

async function call(platform, path, { appId, secret }, parameters) {
  const business = JSON.stringify(parameters);
  const message = {
    appId, version: '1.0.0', timestamp: String(Date.now()), encryptType: 'SM4', signType: 'SM3',
  };
  message.sign = signature(message, business, secret);
  message.encryptData = urlSafe(encrypt(secret, business));
  const response = await fetch(platform + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json; charset=utf-8', 'X-Api-Sign-Version': '2.0.0' },
    body: JSON.stringify(message),
    signal: AbortSignal.timeout(20_000),
  });
  const reply = await response.json();
  if (reply.respCode !== '000000') throw new Error(`refused: ${reply.respCode} ${reply.respMsg}`);
  const plain = decrypt(secret, Buffer.from(reply.encryptData, 'base64url')).toString('utf8');
  if (signature(reply, plain, secret) !== reply.sign) throw new Error('the signature is wrong');
  return JSON.parse(plain);
}

const sandbox = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const hospital = sandbox.hospitals[2];
const { idNo, idType, userName, ehealthCardId } = sandbox.citizens[27];
const person = { idNo, idType, userName, ehealthCardId };
const org = { orgId: hospital.orgId };
const batch = { ...org, orgRequestId: 'node-1' };
const item = {
  orgTraceId: 'node-1-1', medType: '21', feeType: '02', itemName: '住院费 & 药费=1',
  amount: '1234.5', actualTime: '2025-11-20 09:00:00',
};
const ask = (path, parameters) => call(sandbox.platform, path, hospital, parameters);

const reported = await ask('/umdl/reportOverdueData', {
  ...batch, orgName: hospital.orgName, notifyUrl: hospital.callbackUrl,
  unsettleList: [{ ...person, userType: '02', itemList: [item] }],
});
const deadline = Date.now() + 30_000;
let outcome = await ask('/qmdl/queryReportResult', batch);
while (outcome.reportResultList.length === 0 && Date.now() < deadline) {
  await pause(20);
  outcome = await ask('/qmdl/queryReportResult', batch);
}
const query = await ask('/qmdl/queryOverdueData', { ...org, ...person, businessType: '01101' });
console.log(JSON.stringify({ reported, outcome, query }));
