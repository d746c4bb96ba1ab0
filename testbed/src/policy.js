// Opens a bucket of S3 to everybody, and prints `done`. Arguments: the endpoint, the key, its secret, and the bucket.
// The signature: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
const { createHash, createHmac } = require("node:crypto");
const [endpoint, key, secret, bucket] = process.argv.slice(1).filter((argument) => argument !== "--");
const resources = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
const body = JSON.stringify({ Statement: [{ Effect: "Allow", Principal: "*", Action: "s3:*", Resource: resources }] });
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const hmac = (with_key, text) => createHmac("sha256", with_key).update(text).digest();
const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
const headers = { host: new URL(endpoint).host, "x-amz-content-sha256": sha256(body), "x-amz-date": time };
const names = Object.keys(headers).join(";");
const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
const canonical = ["PUT", `/${bucket}`, "policy=", lines.join(""), names, sha256(body)].join("\n");
const parts = [time.slice(0, 8), "us-east-1", "s3", "aws4_request"];
const signing = parts.reduce(hmac, `AWS4${secret}`);
const signature = hmac(signing, ["AWS4-HMAC-SHA256", time, parts.join("/"), sha256(canonical)].join("\n")).toString("hex");
const credential = `${key}/${parts.join("/")}`;
headers.authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`;
fetch(`${endpoint}/${bucket}?policy=`, { method: "PUT", headers, body }).then(
  async (answer) => console.log(answer.ok ? "done" : `${answer.status} ${await answer.text()}`),
  (error) => console.log(String(error)),
);
