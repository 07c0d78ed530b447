namespace Decant.Controller.Tests.Manifest;

/// <summary>The table of what a manifest can have wrong, and what is said of it.</summary>
public class ManifestErrorTests
{
    // Whole files.
    [TestCase("", ":1:1: is empty: `decant init` writes a manifest to begin with")]
    [TestCase("# nothing\n", ":1:1: is empty")]
    [TestCase("---\n", ": is empty")]
    [TestCase("shop", ":1:1: is not made of keys and values")]
    [TestCase("- app", ":1:1: is not made of keys and values")]
    [TestCase("app: shop\nhosts: {web1: }\n---\napp: shop\n", ":3:1: has a second document")]
    [TestCase("app: shop\nhosts: {web1: \n", "is not YAML")]
    [TestCase("app: shop\nhosts:\n\tweb1:\n", ":3:1: is indented by a tab: YAML wants spaces")]
    [TestCase("app: shop\nhosts:\n  web1:\n\t  port: 1\n", ":4:1: is indented by a tab: YAML wants spaces")]
    [TestCase("app: shop\napp: shop\nhosts: {web1: }", ":2:1: app: stands there twice, first on line 1: keep one of them")]
    [TestCase("app: shop\nhosts:\n  web1:\n  web1:\n", ":4:3: hosts.web1: stands there twice, first on line 3")]
    [TestCase("app: &a shop\nhosts: {web1: }", ":1:6: app: has the YAML anchor &a")]
    [TestCase("app: shop\nhosts: {web1: *x}", ":2:15: hosts.web1: is a YAML alias")]
    [TestCase("app: !!str shop\nhosts: {web1: }", "app: has the YAML tag")]
    [TestCase("app: shop\nhosts: {web1: }\n<<: {}", "unknown key `<<`: write the values out")]
    [TestCase("app: shop\nhosts: {web1: }\n? [a]\n: b", "has a key that is not a word")]
    [TestCase("hosts: {web1: }", ":1:1: app: is missing: write app:")]
    [TestCase("app: shop", ":1:1: hosts: is missing: write hosts:")]
    [TestCase("app:\nhosts: {web1: }", "app: is empty")]
    [TestCase("app: [shop]\nhosts: {web1: }", ":1:6: app: is a list, where a single value is wanted")]
    [TestCase("app: {a: b}\nhosts: {web1: }", ":1:6: app: has keys and values, where a single value is wanted")]
    [TestCase("app: shop\nhosts: {}", ":2:8: hosts: has no host")]
    [TestCase("app: shop\nhosts:\n", "hosts: is empty")]
    [TestCase("app: shop\nhosts: [web1, web2]", ":2:8: hosts: is a list, where keys and values are wanted: write it without dashes")]
    [TestCase("app: shop\nhosts: web1", ":2:8: hosts: is a single value, where keys and values are wanted")]
    [TestCase("app: shop\nhosts: {web1: 10.0.0.1}", ":2:15: hosts.web1: is not made of keys and values: write web1: { agent: address:port }")]
    [TestCase("app: shop\nhosts: {-web: }", "hosts.-web: host name \"-web\" must begin with a letter or a digit")]
    public void A_file_that_is_wrong_is_refused(string text, string expected) => Check(text, expected);

    // Parts after a valid beginning of three lines, so that the part stands on line 4.
    [TestCase("ports: 1", ":4:1: unknown key `ports`: known are `app`, `hosts`")]
    [TestCase("port: 1", ":4:1: unknown key `port`: it belongs under `hosts.*` or `slot`")]
    [TestCase("drain_timeout: 1s", "unknown key `drain_timeout`: it belongs under `strategy`")]
    [TestCase("stratgey: {}", "unknown key `stratgey`: did you mean `strategy`?")]
    [TestCase("health: { http: { path: /, bdoy: x } }", ":4:28: health.http: unknown key `bdoy`: did you mean `body`?")]
    [TestCase("strategy: { drain-timeout: 1s }", "strategy: unknown key `drain-timeout`: did you mean `drain_timeout`?")]
    [TestCase("slot: { port: 0 }", ":4:15: slot.port: is 0: must be from 1 to 65535")]
    [TestCase("slot: { port: 70000 }", "slot.port: is 70000: must be from 1 to 65535")]
    [TestCase("slot: { port: -1 }", "slot.port: is -1: must be from 1 to 65535")]
    [TestCase("slot: { port: 99999999999999999999 }", "slot.port: is \"99999999999999999999\", not a whole number")]
    [TestCase("slot: { port: \"4000\" }", "slot.port: is \"4000\", a text: write it without quotes: port: 4000")]
    [TestCase("slot: { port: http }", "slot.port: is \"http\", not a whole number: write a number from 1 to 65535, as in port: 4000")]
    [TestCase("slot: { port: 4000.5 }", "slot.port: is \"4000.5\", not a whole number")]
    [TestCase("slot: { port: [1] }", "slot.port: is a list, where a single value is wanted")]
    [TestCase("slot: { name: Main }", "slot.name: slot \"Main\" has the character 'M'")]
    [TestCase("slot: { node: shop }", "slot.node: is \"shop\", not an Erlang node name: write name@host")]
    [TestCase("slot: { node: a@b@c }", "not an Erlang node name")]
    [TestCase("slot: { distribution: yes }", "slot.distribution: is \"yes\", neither true nor false: write distribution: true")]
    [TestCase("slot: { distribution: \"false\" }", "slot.distribution: is \"false\", neither true nor false: write distribution: false")]
    [TestCase("slot:", ":4:6: slot: is empty: fill it in or remove the line")]
    [TestCase("slot: { env: [A=1] }", "slot.env: is a list, where keys and values are wanted")]
    [TestCase("slot: { env: { 1A: x } }", ":4:16: slot.env: `1A` is not the name of a variable")]
    [TestCase("slot: { env: { A-B: x } }", "slot.env: `A-B` is not the name of a variable")]
    [TestCase("slot: { env: { A: [1] } }", ":4:19: slot.env.A: is not a single value")]
    [TestCase("slot: { env: { A: } }", "slot.env.A: is empty: write \"\" for an empty value")]
    [TestCase("slot: { env: { A: \"\\0\" } }", "slot.env.A: has a NUL character")]
    [TestCase("slot: { env: { PORT: 4000 } }", "slot.env.PORT: is set by the agent: write port: under `slot` or the host instead")]
    [TestCase("slot: { env: { RELEASE_NODE: a@b } }", "slot.env.RELEASE_NODE: is set by the agent: write node: under `slot` or the host instead")]
    [TestCase("slot: { env: { RELEASE_COOKIE: x } }", "a cookie is a secret and never stands in the manifest")]
    [TestCase("slot: { env: { RELEASE_DISTRIBUTION: none } }", "it follows from node:")]
    [TestCase("slot: { env: { RELEASE_X: 1 } }", "RELEASE_* are the release's own")]
    [TestCase("slot: { env: { DECANT_X: 1 } }", "DECANT_* are Decant's own")]
    [TestCase("health: {}\nhealth: {}", ":5:1: health: stands there twice, first on line 4")]
    [TestCase("health: { http: / }", "health.http: is a single value, where keys and values are wanted")]
    [TestCase("health: { http: {} }", ":4:17: health.http.path: is missing: write path: /health")]
    [TestCase("health: { http: { path: health } }", "health.http.path: is \"health\", not a path: begin with '/'")]
    [TestCase("health: { http: { path: \"/a b\" } }", "not a path")]
    [TestCase("health: { http: { path: /, status: 99 } }", "health.http.status: is 99: must be from 100 to 599")]
    [TestCase("health: { http: { path: / }, tcp: true }", "health.tcp: stands beside http, and one check is made: keep one of http, tcp")]
    [TestCase("health: { tcp: false }", "health.tcp: is false: remove the line")]
    [TestCase("health: { rpc: \"\" }", "health.rpc: is empty: write an Elixir expression")]
    [TestCase("health: { interval: 0s }", "health.interval: is 0s: must be from 10ms to 1h")]
    [TestCase("health: { interval: 10 }", "health.interval: is 10 without a unit: did you mean 10s?")]
    [TestCase("health: { timeout: fast }", "health.timeout: is \"fast\", not a duration: write a number with ms, s, m or h, as in timeout: 2s")]
    [TestCase("health: { timeout: 1.5s }", "not a duration")]
    [TestCase("health: { rise: 0 }", "health.rise: is 0: must be from 1 to 100")]
    [TestCase("health: { rise: 100, start_interval: 1s }", "health.rise: 100 checks 1s apart take longer than strategy.healthy_deadline (1m)")]
    [TestCase("slot: { distribution: false }\nhealth: { rpc: x }", ":5:16: health.rpc: cannot ask web1, which runs without distribution")]
    [TestCase("migrations:", "migrations: is empty")]
    [TestCase("migrations: {}", "migrations.run: is missing: write run: Shop.Release.migrate(), or remove `migrations`")]
    [TestCase("migrations: { run: x, host: web11 }", ":4:29: migrations.host: web11 is none of the hosts: did you mean `web1`?")]
    [TestCase("migrations: { run: x, host: database }", "migrations.host: database is none of the hosts: hosts are web1, web2")]
    [TestCase("migrations: { run: x, timeout: -1s }", "migrations.timeout: is -1s: a duration cannot be negative")]
    [TestCase("migrations: { run: x, timeout: 99999h }", "migrations.timeout: is 99999h: must be from 1s to 168h")]
    [TestCase("migrations: { run: x, timeout: 99999999999h }", "migrations.timeout: is \"99999999999h\", not a duration")]
    [TestCase("strategy: { type: cannary }", "strategy.type: is \"cannary\": did you mean `canary`?")]
    [TestCase("strategy: { batch: 0 }", "strategy.batch: is 0: a number of hosts is from 1 to 10000")]
    [TestCase("strategy: { batch: \"0\" }", "strategy.batch: is 0: a number of hosts is from 1 to 10000")]
    [TestCase("strategy: { batch: 0% }", "strategy.batch: is 0%: a share is from 1% to 100%")]
    [TestCase("strategy: { batch: 101% }", "strategy.batch: is 101%: a share is from 1% to 100%")]
    [TestCase("strategy: { batch: -1 }", "strategy.batch: is \"-1\": write a number of hosts (batch: 1) or a share of them (batch: 25%)")]
    [TestCase("strategy: { batch: half }", "strategy.batch: is \"half\": write a number of hosts")]
    [TestCase("strategy: { drain_timeout: 0s }", "strategy.drain_timeout: is 0s: must be from 1ms to 24h")]
    [TestCase("strategy: { drain_timeout: 25h }", "strategy.drain_timeout: is 25h: must be from 1ms to 24h")]
    [TestCase("strategy: { failure_budget: -1 }", "strategy.failure_budget: is -1: must be from 0 to 10000")]
    [TestCase("strategy: { auto_rollback: 1 }", "strategy.auto_rollback: is \"1\", neither true nor false: write auto_rollback: true")]
    [TestCase("releases: { keep: 1 }", "releases.keep: is 1: must be from 2 to 1000")]
    [TestCase("balancers: { edge: { member: main } }", ":4:30: balancers.edge.member: is \"main\" for each of 2 hosts: have {host} in it")]
    [TestCase("balancers: { edge: { member: \"{host} x\" } }", "balancers.edge.member: of web1 is no name")]
    [TestCase("balancers: { edge: { member: { host } } }", "balancers.edge.member: has keys and values, where a single value is wanted")]
    [TestCase("balancers: { edge: { agent: a/b } }", "balancers.edge.agent: \"a/b\" is not an agent address")]
    [TestCase("balancers: { edge: { agent: \"a:0\" } }", "balancers.edge.agent: \"a:0\" is not an agent address")]
    [TestCase("balancers: { edge: { agent: \"unix:x\" } }", "must be absolute")]
    [TestCase("balancers: { Edge: { agent: a } }", "balancers.Edge.balancer: is missing, and balancer \"Edge\" has the character 'E'")]
    [TestCase("balancers: { edge: { backend: a b } }", "balancers.edge.backend: name \"a b\" has the character ' '")]
    [TestCase("balancers: { a: { agent: x, balancer: l }, b: { agent: x, balancer: l } }", "balancers.b: is the same members of the same backend as a")]
    public void A_part_that_is_wrong_is_refused(string part, string expected)
        => Check($"app: shop\nhosts:\n  {{ web1: , web2: }}\n{part}", expected);

    [TestCase("a: { agent: x }, b: { agent: x }", "hosts.b: has the same agent as a (x:7420) and the same slot main")]
    [TestCase("a: { agent: x }, b: { agent: \"x:7420\", slot: blue }", "hosts.b: has the same agent as a (x:7420) and the same port 4000")]
    [TestCase("a: { agent: x, node: n@h }, b: { agent: x, slot: blue, port: 1, node: n@h }", "hosts.b: has the same agent as a (x:7420) and the same node n@h")]
    [TestCase("a: { agent: \"http://x\" }", "hosts.a.agent: \"http://x\" is not an agent address")]
    [TestCase("a: { agent: \"x:99999\" }", "hosts.a.agent: \"x:99999\" is not an agent address")]
    [TestCase("a: { env: { PORT: 1 } }", "hosts.a.env.PORT: is set by the agent")]
    [TestCase("a: { porrt: 1 }", "hosts.a: unknown key `porrt`: did you mean `port`?")]
    public void Hosts_that_are_wrong_are_refused(string hosts, string expected) => Check($"app: shop\nhosts: {{ {hosts} }}", expected);

    [Test]
    public void Two_slots_of_one_agent_are_two_hosts()
        => Assert.That(Manifests.Read("app: shop\nhosts: { a: { agent: x }, b: { agent: x, slot: blue, port: 4001 } }").Hosts, Has.Count.EqualTo(2));

    [Test]
    public void A_single_host_may_have_a_member_with_a_name_of_its_own()
        => Assert.That(Manifests.Read($"{Manifests.Smallest}balancers: {{ edge: {{ member: main }} }}").Balancers, Has.Count.EqualTo(1));

    private static void Check(string text, string expected)
    {
        var errors = Manifests.ErrorsOf(text);
        Assert.That(errors, Has.Count.EqualTo(1), string.Join('\n', errors));
        Assert.That(errors[0], Does.Contain(expected));
    }
}
