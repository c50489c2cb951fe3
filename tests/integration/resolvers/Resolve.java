// SPDX-License-Identifier: MIT
// As resolve.c. RESOLVER: lookup (InetAddress), jndi (one query for A, one for AAAA), any (JNDI sends ANY for several types).
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Properties;
import javax.naming.directory.Attribute;
import javax.naming.directory.Attributes;
import javax.naming.directory.InitialDirContext;

class Resolve {
    static List<String> lookup(String name) throws Exception {
        List<String> found = new ArrayList<>();
        for (InetAddress one : InetAddress.getAllByName(name))
            found.add(one.getHostAddress());
        return found;
    }

    static List<String> jndi(String name, String... types) throws Exception {
        Properties settings = new Properties();
        settings.put("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory");
        settings.put("java.naming.provider.url", "dns://127.0.0.1");
        Attributes attributes = new InitialDirContext(settings).getAttributes(name, types);
        List<String> found = new ArrayList<>();
        for (Attribute one : Collections.list(attributes.getAll()))
            for (Object value : Collections.list(one.getAll()))
                found.add(value.toString());
        return found;
    }

    public static void main(String[] names) {
        String resolver = System.getenv("RESOLVER");
        System.setProperty("networkaddress.cache.ttl", "0");
        java.security.Security.setProperty("networkaddress.cache.ttl", "0");
        for (String name : names) {
            try {
                List<String> found = resolver.equals("lookup") ? lookup(name)
                    : resolver.equals("any") ? jndi(name, "A", "AAAA") : jndi(name, "A");
                if (resolver.equals("jndi"))
                    found.addAll(jndi(name, "AAAA"));
                for (String address : found)
                    System.out.println(name + " " + address);
                if (found.isEmpty())
                    System.out.println(name + " error no data");
            } catch (Exception error) {
                System.out.println(name + " error " + error.getClass().getSimpleName());
            }
        }
    }
}
