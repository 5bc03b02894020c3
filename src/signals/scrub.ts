/**
 * Removes secrets and personal addresses from text before anything keeps it.
 * Every pattern starts at a literal or a bounded class, so that no input makes
 * it quadratic. What is removed leaves a word behind, so that a reader sees why.
 */
const SECRET = "[secret]";

const rules: readonly { readonly pattern: RegExp; readonly replacement: string }[] = [
  // Databricks, OpenAI, Anthropic, GitHub, Slack, AWS, Google, Hugging Face, npm, Grafana.
  {
    pattern:
      /\b(?:dapi[0-9a-f]{32}(?:-\d)?|dose[0-9a-f]{32}|sk-[A-Za-z0-9_-]{16,200}|gh[pousr]_[A-Za-z0-9]{20,80}|github_pat_[A-Za-z0-9_]{20,100}|xox[abprs]-[A-Za-z0-9-]{10,100}|A[KS]IA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|hf_[A-Za-z0-9]{20,60}|npm_[A-Za-z0-9]{36}|glsa_[A-Za-z0-9_]{20,60})/g,
    replacement: SECRET,
  },
  {
    pattern: /\beyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{0,4000}/g,
    replacement: SECRET,
  },
  { pattern: /\b(Bearer|Basic) [A-Za-z0-9._~+/=-]{8,4000}/gi, replacement: `$1 ${SECRET}` },
  {
    pattern: /hooks\.slack\.com\/[A-Za-z0-9/_-]{1,200}/g,
    replacement: `hooks.slack.com/${SECRET}`,
  },
  { pattern: /(:\/\/)[^\s/:@]{1,200}:[^\s/@]{1,200}@/g, replacement: `$1${SECRET}@` },
  {
    // `api_key=…`, `"password": "…"`; never `input_tokens: 12` or `author: …`.
    pattern:
      /\b(api[_-]?key|apikey|access[_-]?key|secret[_-]?key|private[_-]?key|client[_-]?secret|secret|password|passwd|pwd|access[_-]?token|auth[_-]?token|refresh[_-]?token|token|authorization)(["']?\s{0,3}[:=]\s{0,3}["']?)(?!\[secret\])[^\s"',;&)}\]]{4,4000}/gi,
    replacement: `$1$2${SECRET}`,
  },
  {
    pattern:
      /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]{0,8000}?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g,
    replacement: SECRET,
  },
  {
    pattern:
      /(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g,
    replacement: "[email]",
  },
];

export function scrub(text: string): string {
  let clean = text;
  for (const { pattern, replacement } of rules) clean = clean.replace(pattern, replacement);
  return clean;
}
