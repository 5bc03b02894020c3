/**
 * Secrets of every shape that is known, made up, for tests: none of them opens
 * anything. They are put together from parts, so that no scanner of sources stumbles.
 */
const hex = (size: number) => "0123456789abcdef".repeat(5).slice(0, size);
const mixed = (size: number) => "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0z".repeat(20).slice(0, size);
const capitals = (size: number) => "A1B2C3D4E5F6G7H8".repeat(4).slice(0, size);

/** Told by their shape, wherever they stand. */
export const secretsByShape: Readonly<Record<string, string>> = {
  "Databricks token": `dapi${hex(32)}`,
  "Databricks token with a suffix": `dapi${hex(32)}-2`,
  "Databricks OAuth secret": `dose${hex(32)}`,
  "OpenAI key": `sk-proj-${mixed(40)}`,
  "OpenAI key of old": `sk-${mixed(20)}T3BlbkFJ${mixed(20)}`,
  "Anthropic key": `sk-ant-api03-${mixed(80)}AA`,
  "Groq key": `gsk_${mixed(52)}`,
  "Hugging Face token": `hf_${mixed(34)}`,
  "NVIDIA key": `nvapi-${mixed(60)}`,
  "GitHub token": `ghp_${mixed(36)}`,
  "GitHub app token": `ghs_${mixed(36)}`,
  "GitHub fine-grained token": `github_pat_${mixed(22)}_${mixed(59)}`,
  "GitLab token": `glpat-${mixed(20)}`,
  "npm token": `npm_${mixed(36)}`,
  "PyPI token": `pypi-${mixed(90)}`,
  "Slack bot token": `xoxb-${"1234567890".repeat(2)}-${mixed(24)}`,
  "Slack app token": `xapp-1-${capitals(10)}-${mixed(30)}`,
  "Grafana token": `glsa_${mixed(32)}_${hex(8)}`,
  "SendGrid key": `SG.${mixed(22)}.${mixed(43)}`,
  "Stripe key": `sk_live_${mixed(24)}`,
  "Vault token": `hvs.${mixed(90)}`,
  "AWS key id": `AKIA${capitals(16)}`,
  "AWS temporary key id": `ASIA${capitals(16)}`,
  // The one that AWS itself uses in its documentation, and one as they come.
  "AWS secret key of the documentation": ["wJalrXUtnFEMI", "K7MDENG", "bPxRfiCYEXAMPLEKEY"].join(
    "/",
  ),
  "AWS secret key": `${mixed(19)}/b4${mixed(18)}`,
  "Google API key": `AIza${mixed(35)}`,
  "Google OAuth token": `ya29.${mixed(60)}`,
  "Entra secret": `aB38Q~${mixed(34)}`,
  "JSON Web Token": `eyJ${mixed(30)}.eyJ${mixed(60)}.${mixed(43)}`,
  "private key": `-----BEGIN RSA PRIVATE KEY-----\n${mixed(64)}\n${mixed(64)}\n-----END RSA PRIVATE KEY-----`,
};

/** Told by what stands around them. `secret` is the part that must go. */
export const secretsInPlace: Readonly<Record<string, { text: string; secret: string }>> =
  Object.fromEntries(
    Object.entries({
      "bearer header": ["Authorization: Bearer []", mixed(30)],
      "basic header": ["authorization: Basic []", `${mixed(22)}==`],
      "token header": ["Authorization: token []", mixed(30)],
      "bearer header, all letters": ["Authorization: Bearer []", "abcdefghijklmnop"],
      "token header, all letters": ["Authorization: token [], then", "abcdefghij"],
      "bearer without a header": ["sent Bearer [] to it", "abcdefghijklmnopqr"],
      "bearer of raw headers": ['["authorization", "Bearer []", "host", "h"]', "abcdefg"],
      "header of a gateway": ["X-Gateway-Key: []", mixed(30)],
      "header, all letters": ["X-Api-Key: []", "zzzyyyxxx"],
      "header, all letters, before another": ["x-api-key: [] accept: */*", "zzzyyyxxx"],
      "user of curl": ["curl -u [] https://h.example", "jane:hunter"],
      "quoted user of curl": ["curl -s -u '[]' https://h.example", "jane:hunter two"],
      "long user of curl": ["curl --user [] https://h.example", "jane:hunter"],
      "short name of a password": ["pw=[]&a=b", "hunter"],
      cookie: ["Cookie: session=[]; theme=dark", mixed(30)],
      "set-cookie": ["Set-Cookie: sid=[]; Path=/", mixed(30)],
      "JSON field": ['{"api_key": "[]", "model": "m"}', mixed(30)],
      "JSON inside JSON": ['{\\"client_secret\\": \\"[]\\"}', mixed(30)],
      "Python dict": ["{'password': '[]', 'user': 'a'}", "hunter2 and more"],
      "environment variable": ["export OPENAI_API_KEY=[] MODE=a", mixed(30)],
      "option of a program": ["run --password [] --verbose", "hunter2"],
      "query of a URL": ["GET https://h.example/a?x=1&access_token=[]&y=2", mixed(30)],
      "signed URL": ["https://c.example/a?Expires=1&Signature=[]&Key-Pair-Id=K", mixed(30)],
      "signature of AWS": ["https://b.example/a?X-Amz-Signature=[]", mixed(40)],
      "secret of 32 hex digits": ["DD_APP_KEY=[]", hex(32)],
      "SAS signature": [
        "https://a.blob.core.windows.net/c/b?sv=2024&sig=[]&se=1",
        "aB3%2Fd5gH7jK9%3D",
      ],
      "user of a URL": ["postgres://admin:[]@db.internal:5432/x", "hunt/er2"],
      "user of a MongoDB URL": ["mongodb+srv://u:[]@cluster0.example.net", "s3cr3t!"],
      "token as a user": ["https://[]@github.example/repo.git", mixed(30)],
      "Slack webhook": ["https://hooks.slack.com/[]", `services/T00000000/B00000000/${mixed(24)}`],
      "Teams webhook": ["https://acme.webhook.office.com/[]", `webhookb2/${hex(32)}`],
      "Discord webhook": ["https://discord.com/[]", `api/webhooks/1234567890/${mixed(60)}`],
      "PagerDuty key": ['{"routing_key": "[]"}', hex(32)],
      "connection string": ["AccountName=a;AccountKey=[];EndpointSuffix=b", `${mixed(86)}==`],
      "password in prose": ["login failed, password: [] was refused", "Hunter2!x"],
      "password that a sentence says": ["PASSWORD is []", "hunter2"],
    } satisfies Record<string, readonly [string, string]>).map(([name, [text, secret]]) => [
      name,
      { text: text.replace("[]", () => secret), secret },
    ]),
  );
