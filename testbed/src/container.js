// Makes a container of Azure Blob Storage, and prints `done`. Arguments: the endpoint, the account, its key, and the
// container. The signature: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
const [endpoint, account, key, container] = process.argv.slice(1).filter((argument) => argument !== "--");
const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2021-12-02" };
const canonical = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
// Eleven standard headers, all of them empty, stand between the method and ours.
const resource = `/${account}/${account}/${container}\nrestype:container`;
const signed = ["PUT", ...Array(11).fill(""), ...canonical, resource].join("\n");
const signature = require("node:crypto").createHmac("sha256", Buffer.from(key, "base64")).update(signed).digest("base64");
headers.authorization = `SharedKey ${account}:${signature}`;
fetch(`${endpoint}/${container}?restype=container`, { method: "PUT", headers }).then(
  async (answer) => console.log(answer.status === 201 ? "done" : `${answer.status} ${await answer.text()}`),
  (error) => console.log(String(error)),
);
