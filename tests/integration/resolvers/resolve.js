// SPDX-License-Identifier: MIT
// As resolve.c. RESOLVER: lookup (getaddrinfo), resolve (c-ares: A and AAAA), any (c-ares: ANY).
const dns = require("node:dns").promises;

async function addresses(name) {
    if (process.env.RESOLVER === "lookup")
        return (await dns.lookup(name, { all: true })).map((one) => one.address);
    if (process.env.RESOLVER === "any")
        return (await dns.resolveAny(name)).map((one) => one.address || one.type);
    const parts = await Promise.allSettled([dns.resolve4(name), dns.resolve6(name)]);
    if (parts.every((part) => part.status === "rejected"))
        throw parts[0].reason;
    return parts.flatMap((part) => part.value || []);
}

(async () => {
    for (const name of process.argv.slice(2)) {
        try {
            for (const address of await addresses(name))
                console.log(name, address);
        } catch (error) {
            console.log(name, "error", error.code);
        }
    }
})();
