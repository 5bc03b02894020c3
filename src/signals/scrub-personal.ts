/**
 * Takes personal data out of text: addresses of people and machines, numbers of
 * phones, cards, accounts and papers, names of users in paths. Numbers count only
 * when their check digits are right. Names of people and places are not known here.
 */
const PERSONAL = "[personal]";

/** Every pattern is bounded and begins where a word does, so that no input makes it slow. */
const EMAIL =
  /(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g;
const IPV4 = /(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)/g;
const IPV6 = /(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])/gi;
const MAC = /(?<![\w:-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:-])/gi;
const IBAN = /(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?!\w)/g;
const CARD = /(?<![\w.-])[2-6]\d{3}(?:[ -]?\d{2,6}){2,4}(?![\w-]|\.\d)/g;
const SOCIAL_SECURITY = /(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])/g;
const PHONE =
  /(?<![\w.+-])(?:\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,4}|\(\d{3}\) ?\d{3}-\d{4})(?![\w-])/g;
const HOME = /((?:\/home\/|\/Users\/|\\Users\\{1,2}))[^/\\\s"':]{1,64}/g;

export function scrubEmails(text: string): string {
  return text.includes("@") ? text.replace(EMAIL, "[email]") : text;
}

export function scrubPersonal(text: string): string {
  return scrubEmails(text)
    .replace(HOME, `$1${PERSONAL}`)
    .replace(IBAN, (found) => (isIban(found) ? PERSONAL : found))
    .replace(CARD, (found) => (isCard(found) ? PERSONAL : found))
    .replace(SOCIAL_SECURITY, PERSONAL)
    .replace(PHONE, (found) => (isPhone(found) ? PERSONAL : found))
    .replace(MAC, PERSONAL)
    .replace(IPV6, (found) => (isIpv6(found) ? PERSONAL : found))
    .replace(IPV4, (found) => (isIpv4(found) ? PERSONAL : found));
}

const isIpv4 = (text: string) => text.split(".").every((octet) => Number(octet) <= 255);

/** Eight groups, or fewer with `::` and a digit; a time of the day is neither. */
function isIpv6(text: string): boolean {
  const hasGap = text.includes("::");
  return hasGap ? /\d/.test(text) : text.split(":").length === 8 && !text.endsWith(":");
}

const isPhone = (text: string) => {
  const digits = text.replace(/\D/g, "").length;
  return digits >= 8 && digits <= 15;
};

/** Luhn's check digit. */
function isCard(text: string): boolean {
  const digits = text.replace(/\D/g, "");
  if (digits.length < 13 || digits.length > 19) return false;
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** ISO 13616: the number, turned around and spelt in digits, is 1 modulo 97. */
function isIban(text: string): boolean {
  const compact = text.replaceAll(" ", "");
  if (compact.length < 15 || compact.length > 34) return false;
  let rest = 0;
  for (const char of compact.slice(4) + compact.slice(0, 4)) {
    const value = Number.parseInt(char, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}
