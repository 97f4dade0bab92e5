// 接入指南第 4 章的 Node 客户端：签名、加密、调用、验签，并应答平台的回调。只用 Node 自带的 crypto（需 18 以上）。
//   node banyan_client.mjs --vectors ../../fixtures/vectors/envelope.json   核对实现
//   node banyan_client.mjs 沙箱目录/sandbox.json [citizen 序号]             对着沙箱走一遍
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import assert from 'node:assert/strict';

const keyOf = (secret) => Buffer.from(secret, 'utf8').subarray(0, 16); // 密钥的前 16 位
const through = (cipher, data) => Buffer.concat([cipher.update(data), cipher.final()]); // 默认即 PKCS#7
const urlSafe = (bytes) => bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
const encrypt = (secret, text) => urlSafe(through(createCipheriv('sm4-ecb', keyOf(secret), null), Buffer.from(text, 'utf8')));
const decrypt = (secret, text) =>
  through(createDecipheriv('sm4-ecb', keyOf(secret), null), Buffer.from(text, 'base64url')).toString('utf8');

function stringToSign(message, business, secret, name = 'param') {
  const signed = { ...message };
  for (const excluded of ['sign', 'encryptData', 'extendParams']) delete signed[excluded];
  if (business != null) signed[name] = business; // 加密前的原文，一字不差
  const names = Object.keys(signed).filter((key) => signed[key] != null).sort();
  return [...names.map((key) => `${key}=${signed[key]}`), `key=${secret}`].join('&');
}
const signature = (...parts) => urlSafe(createHash('sm3').update(stringToSign(...parts), 'utf8').digest());

function seal(appId, secret, business, timestamp, { name = 'param', more = {} } = {}) {
  const message = { appId, version: '1.0.0', timestamp: String(timestamp), encryptType: 'SM4', signType: 'SM3', ...more };
  return { ...message, sign: signature(message, business, secret, name), encryptData: encrypt(secret, business) };
}

function open(message, secret, name = 'param') {
  const business = message.encryptData ? decrypt(secret, message.encryptData) : null;
  if (signature(message, business, secret, name) !== message.sign) throw new Error('签名不符：可用 banyan doctor 诊断');
  return business;
}

async function call(platform, path, { appId, secret }, parameters) {
  const business = JSON.stringify(parameters); // 只序列化一次：签名与加密都用它
  const response = await fetch(platform + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json; charset=utf-8', 'X-Api-Sign-Version': '2.0.0' },
    body: JSON.stringify(seal(appId, secret, business, Date.now())),
    signal: AbortSignal.timeout(20_000),
  });
  const reply = await response.json();
  if (reply.respCode !== '000000') throw new Error(`对方拒绝：${reply.respCode} ${reply.respMsg}`);
  return JSON.parse(open(reply, secret));
}

// 应答 ORG_002：验签、记下结果、答复 success。
function callbacks({ appId, secret }, onNotice) {
  return createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part) => { text += part; }).on('end', () => {
      try {
        const message = JSON.parse(text);
        let [business, name] = [null, 'param'];
        try { business = open(message, secret); } catch { name = 'data'; business = open(message, secret, name); }
        onNotice(JSON.parse(business));
        response.end(JSON.stringify(seal(appId, secret, '{"state":"success"}', Date.now(), { name, more: { respCode: '000000', respMsg: '成功' } })));
      } catch { response.end('{"respCode":"000102","respMsg":"签名无效"}'); }
    });
  });
}

const text = (path) => JSON.parse(readFileSync(path, 'utf8'));
if (process.argv[2] === '--vectors') {
  const { appId, secret, messages } = text(process.argv[3]);
  for (const { name, business, signedAs, stringToSign: expected, message } of messages) {
    assert.equal(stringToSign(message, business, secret, signedAs), expected, name);
    assert.equal(open(message, secret, signedAs), business, name);
    if (!message.respCode) assert.deepEqual(seal(appId, secret, business, message.timestamp, { name: signedAs }), message, name);
  }
  console.log(JSON.stringify({ checked: messages.length }));
} else {
  const { platform, hospitals, citizens } = text(process.argv[2]);
  const { idType, idNo, userName, ehealthCardId } = citizens[Number(process.argv[3] ?? 0)];
  const [hospital, person] = [hospitals[2], { idType, idNo, userName, ehealthCardId }];
  const ask = (path, parameters) => call(platform, path, hospital, { orgId: hospital.orgId, ...parameters });
  const told = Promise.withResolvers?.() ?? (() => { let r; const promise = new Promise((resolve) => { r = resolve; }); return { promise, resolve: r }; })();
  const server = callbacks(hospital, told.resolve).listen(0, '127.0.0.1', async () => {
    const number = `node-${process.hrtime.bigint()}`;
    const item = { orgTraceId: number, medType: '21', feeType: '02', itemName: '住院费 & 药费=1', amount: '1234.5', actualTime: '2025-11-20 09:00:00' };
    const reported = await ask('/umdl/reportOverdueData', {
      orgName: hospital.orgName, orgRequestId: number, unsettleList: [{ ...person, userType: '02', itemList: [item] }],
      notifyUrl: `http://127.0.0.1:${server.address().port}/umdl/callback`,
    });
    const notice = await told.promise;
    const query = await ask('/qmdl/queryOverdueData', { ...person, businessType: '01101' });
    console.log(JSON.stringify({ reported, notice, query }));
    server.close();
  });
}
