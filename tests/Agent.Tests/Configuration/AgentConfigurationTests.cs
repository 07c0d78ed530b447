using System.Net;
using CsCheck;
using Decant.Agent.Configuration;
using Decant.Names;
using Microsoft.Extensions.Logging;

namespace Decant.Agent.Tests.Configuration;

internal sealed class AgentConfigurationTests
{
    private static AgentConfigurationResult Read(string text) => AgentConfigurationReader.Read("/etc/decant/agent.yml", new StringReader(text));

    private static AgentConfiguration Valid(string text)
    {
        var result = Read(text);
        Assert.That(result.Problems, Is.Empty);
        return result.Configuration!;
    }

    [Test]
    public void An_empty_file_gives_every_default()
    {
        var configuration = Valid("# nothing\n");

        using (Assert.EnterMultipleScope())
        {
            Assert.That(configuration.Host, Is.EqualTo(Environment.MachineName));
            Assert.That(configuration.DataDirectory, Is.EqualTo("/var/lib/decant"));
            Assert.That(configuration.Listen, Is.EqualTo(new ListenSettings()));
            Assert.That(configuration.Limits, Is.EqualTo(new HostLimits()));
            Assert.That(configuration.AppsDirectory, Is.EqualTo("/etc/decant/apps"));
            Assert.That(configuration.Balancers, Is.Empty);
        }
    }

    [Test]
    public void The_example_that_is_shipped_is_valid_and_shows_the_defaults()
    {
        var result = AgentConfigurationReader.ReadFile(Path.Combine(AppContext.BaseDirectory, "examples", "agent.yml"));

        Assert.That(result.Problems, Is.Empty);
        var configuration = result.Configuration!;
        var defaults = new AgentConfiguration();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(configuration.Host, Is.EqualTo("web1"));
            Assert.That(configuration.DataDirectory, Is.EqualTo(defaults.DataDirectory));
            Assert.That(configuration.Listen with { Tls = defaults.Listen.Tls }, Is.EqualTo(defaults.Listen));
            Assert.That(configuration.Listen.Tls! with { Directory = "" }, Is.EqualTo(defaults.Listen.Tls! with { Directory = "" }));
            Assert.That(configuration.Limits, Is.EqualTo(defaults.Limits));
            Assert.That(configuration.Restart, Is.EqualTo(defaults.Restart));
            Assert.That(configuration.EpmdPort, Is.EqualTo(defaults.EpmdPort));
            Assert.That(configuration.Journal, Is.EqualTo(defaults.Journal));
            Assert.That(configuration.Logging, Is.EqualTo(defaults.Logging));
            Assert.That(
                configuration.Balancers[BalancerName.Parse("edge")], Is.EqualTo(new BalancerSettings.Haproxy("/run/haproxy/admin.sock", MemberManagement.Fixed, BalancerSettings.Haproxy.DefaultMemberOptions)));
        }
    }

    [Test]
    public void Nginx_and_caddy_have_debians_places_unless_others_are_named()
    {
        var balancers = Valid("""
            balancers:
              a: { kind: nginx }
              b: { kind: nginx, config: /opt/nginx.conf, upstreams: /opt/up/, program: /opt/nginx, pid: /opt/nginx.pid }
              c: { kind: caddy }
              d: { kind: caddy, admin: "http://127.0.0.1:2020" }
              e: { kind: caddy, admin: unix//run/caddy/admin.sock }
            """).Balancers;

        Assert.That(balancers.Values, Is.EqualTo(new BalancerSettings[]
        {
            BalancerSettings.Nginx.Default,
            new BalancerSettings.Nginx("/opt/nginx.conf", "/opt/up", "/opt/nginx", "/opt/nginx.pid"),
            BalancerSettings.Caddy.Default,
            new BalancerSettings.Caddy(new Uri("http://127.0.0.1:2020")),
            new BalancerSettings.Caddy(new Uri("http://127.0.0.1"), "/run/caddy/admin.sock"),
        }));
    }

    [TestCase("{ kind: nginx, config: nginx.conf }", "must be an absolute path")]
    [TestCase("{ kind: nginx, socket: /run/x }", "unknown key \"balancers.a.socket\"")]
    [TestCase("{ kind: caddy, admin: localhost:2019 }", "neither http://host:port nor the path of a unix socket")]
    [TestCase("{ kind: caddy, admin: https://localhost:2019 }", "neither http://host:port nor the path of a unix socket")]
    [TestCase("{ kind: caddy, admin: http://localhost:2019/config/ }", "neither http://host:port nor the path of a unix socket")]
    public void A_wrong_place_of_nginx_or_caddy_is_refused(string balancer, string reason)
    {
        using var text = new StringReader($"balancers:\n  a: {balancer}\n");
        var problem = AgentConfigurationReader.Read("/etc/decant/agent.yml", text).Problems.Single();

        Assert.That(problem.Reason, Does.Contain(reason));
        Assert.That(problem.Line, Is.EqualTo(2));
    }

    [Test]
    public void Every_value_is_read()
    {
        var configuration = Valid("""
            host: db-2.example
            data_dir: /srv/decant/
            listen: { unix: off, tcp: "[::1]:9000", tls: { ca: /pki/ca.pem, certificate: /pki/me.pem, key: /pki/me.key, revoked: /pki/crl.pem } }
            access:
              certificates: { alice@example.com: admin, ci: [deployer:shop, deployer:blog] }
              users: { bob: observer, 1001: admin }
              groups: { ops: deployer:shop }
              backends: { shop: [shop_api, Web.front] }
            apps:
              shop: { env_file: /root/shop.env }
            balancers: { edge: { kind: haproxy, socket: /tmp/s } }
            supervisor: process
            limits: { archive_bytes: 1GiB, unpacked_bytes: 1.5GiB, ratio: 10, entries: 1000, disk_floor: 0, log_bytes: 1048576, log_files: 2 }
            restart: { backoff_min: 250ms, backoff_max: 2m, reset_after: 1h }
            epmd_port: 4370
            journal: { keep_operations: 500 }
            logging: { level: debug, format: json }
            """);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(configuration.Host, Is.EqualTo("db-2.example"));
            Assert.That(configuration.DataDirectory, Is.EqualTo("/srv/decant"));
            Assert.That(configuration.Listen, Is.EqualTo(new ListenSettings
            {
                Unix = null,
                Tcp = new IPEndPoint(IPAddress.IPv6Loopback, 9000),
                Tls = new TlsSettings("/etc/decant/tls") { Ca = "/pki/ca.pem", Certificate = "/pki/me.pem", Key = "/pki/me.key", Revoked = "/pki/crl.pem" },
            }));
            Assert.That(Words(configuration.Access.Certificates), Is.EqualTo(new[] { "alice@example.com: admin", "ci: deployer:shop, deployer:blog" }));
            Assert.That(Words(configuration.Access.Users), Is.EqualTo(new[] { "bob: observer", "1001: admin" }));
            Assert.That(Words(configuration.Access.Groups!), Is.EqualTo(new[] { "ops: deployer:shop" }));
            Assert.That(configuration.Access.Backends[AppName.Parse("shop")].Select(b => b.Value), Is.EqualTo(new[] { "shop_api", "Web.front" }));
            Assert.That(configuration.EnvFileOf(AppName.Parse("shop")), Is.EqualTo("/root/shop.env"));
            Assert.That(configuration.Balancers, Has.Count.EqualTo(1));
            Assert.That(configuration.Limits, Is.EqualTo(new HostLimits
            {
                ArchiveBytes = 1L << 30,
                UnpackedBytes = 3L << 29,
                Ratio = 10,
                Entries = 1000,
                DiskFloorBytes = 0,
                LogBytes = 1 << 20,
                LogFiles = 2,
            }));
            Assert.That(configuration.Restart, Is.EqualTo(new RestartSettings
            {
                BackoffMin = TimeSpan.FromMilliseconds(250),
                BackoffMax = TimeSpan.FromMinutes(2),
                ResetAfter = TimeSpan.FromHours(1),
            }));
            Assert.That(configuration.EpmdPort, Is.EqualTo(4370));
            Assert.That(configuration.Journal.KeepOperations, Is.EqualTo(500));
            Assert.That(configuration.Logging, Is.EqualTo(new LoggingSettings { Level = LogLevel.Debug, Format = LogFormat.Json }));
        }
    }

    [TestCase("hots: web1", 1, 1, "unknown key \"hots\"; did you mean \"host\"?")]
    [TestCase("data-dir: /x", 1, 1, "did you mean \"data_dir\"?")]
    [TestCase("zebra: 1", 1, 1, "known keys here: host, data_dir")]
    [TestCase("limits:\n  archive_byte: 1GiB", 2, 3, "unknown key \"limits.archive_byte\"; did you mean \"archive_bytes\"?")]
    [TestCase("host: [a, b]", 1, 7, "host must be a single value, not a list")]
    [TestCase("host: we b", 1, 7, "\"we b\" is not a host name")]
    [TestCase("- a", 1, 1, "the file must be a mapping of keys to values, not a list")]
    [TestCase("listen: yes", 1, 9, "listen must be a mapping")]
    [TestCase("data_dir: var/lib", 1, 11, "data_dir: \"var/lib\" must be an absolute path")]
    [TestCase("listen:\n  tcp: 0.0.0.0:7420\n  tls: off", 2, 3, "0.0.0.0 is not loopback and tls is off: anybody who reaches that address could deploy here")]
    [TestCase("listen:\n  tcp: \"[::]:7420\"\n  tls: off", 2, 3, "is not loopback")]
    [TestCase("listen:\n  tcp: 10.0.0.5:7420\n  tls: off", 2, 3, "or listen on 127.0.0.1:7420")]
    [TestCase("listen:\n  tcp: web1:7420", 2, 8, "\"web1\" is not an IP address")]
    [TestCase("listen:\n  tcp: 127.0.0.1", 2, 8, "is not address:port")]
    [TestCase("listen:\n  tcp: 127.0.0.1:70000", 2, 8, "is not address:port")]
    [TestCase("listen:\n  tls: { cert: /x }", 2, 10, "unknown key \"listen.tls.cert\"")]
    [TestCase("listen:\n  tls: none", 2, 8, "neither off nor the files of a certificate")]
    [TestCase("listen:\n  tls: { key: host.key }", 2, 15, "must be an absolute path")]
    [TestCase("tls: on", 1, 1, "belongs to listen")]
    [TestCase("access: { users: { bob: root } }", 1, 25, "\"root\" is not a role; known: observer, deployer:APP, admin")]
    [TestCase("access: { groups: { ops: deployer } }", 1, 26, "write deployer:APP")]
    [TestCase("access: { certificates: { ci: [observer, deployer:Shop] } }", 1, 42, "allowed are a-z")]
    [TestCase("access: { backends: { Shop: shop } }", 1, 23, "allowed are a-z")]
    [TestCase("access: { backends: { shop: 'a b' } }", 1, 29, "backend")]
    [TestCase("access: { everybody: admin }", 1, 11, "unknown key \"access.everybody\"")]
    [TestCase("listen: { unix: off, tcp: off }", 1, 11, "both unix and tcp are off")]
    [TestCase("listen: { unix: decant.sock }", 1, 17, "must be an absolute path")]
    [TestCase("supervisor: runit", 1, 13, "known: auto, systemd, process")]
    [TestCase("epmd_port: many", 1, 12, "\"many\" is not a whole number from 1 to 65535")]
    [TestCase("limits: { disk_floor: 512MB }", 1, 23, "\"512MB\" is not a size; write 512MiB")]
    [TestCase("limits: { disk_floor: -1 }", 1, 23, "is not a size")]
    [TestCase("limits: { archive_bytes: 2TiB }", 1, 26, "2TiB is not within 1MiB to 1TiB")]
    [TestCase("limits: { log_files: 0 }", 1, 22, "from 1 to 1000")]
    [TestCase("restart: { backoff_min: 1 }", 1, 25, "\"1\" is not a time with its unit")]
    [TestCase("restart: { backoff_min: 5m }", 1, 12, "the first wait (5m) is longer than the longest (1m)")]
    [TestCase("journal: { keep_operations: 1 }", 1, 29, "from 100 to 1000000")]
    [TestCase("logging: { level: chatty }", 1, 19, "known: trace, debug")]
    [TestCase("logging: { format: xml }", 1, 20, "known: text, json")]
    [TestCase("balancers: { edge: { kind: traefik, socket: /s } }", 1, 28, "known: haproxy")]
    [TestCase("balancers: { edge: { kind: haproxy } }", 1, 20, "balancers.edge.socket: is missing")]
    [TestCase("balancers: { edge: { socket: /s } }", 1, 20, "balancers.edge.kind: is missing")]
    [TestCase("balancers: { Edge: { kind: haproxy, socket: /s } }", 1, 14, "balancer \"Edge\" has the character 'E'")]
    [TestCase("apps: { Shop: {} }", 1, 9, "allowed are a-z")]
    [TestCase("apps: { shop: { envfile: /x } }", 1, 17, "did you mean \"env_file\"?")]
    [TestCase("host: a\nhost: b", 2, 1, "not valid YAML")]
    [TestCase("host: \"a", 1, 7, "not valid YAML")]
    [TestCase("host: a\n---\nhost: b", 3, 1, "more than one document")]
    public void A_wrong_file_is_refused_with_line_column_and_reason(string text, int line, int column, string reason)
    {
        var result = Read(text);

        Assert.That(result.Configuration, Is.Null);
        Assert.That(result.Problems, Has.Count.EqualTo(1));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.Problems[0].ToString(), Does.StartWith($"/etc/decant/agent.yml:{line}:{column}: "));
            Assert.That(result.Problems[0].Reason, Does.Contain(reason));
        }
    }

    [Test]
    public void All_errors_are_reported_at_once_in_the_order_of_the_file()
    {
        var result = Read("""
            host: a b
            listen:
              tcp: 0.0.0.0
              udp: 1
            limits: { ratio: x, entries: y }
            epmdport: 4369
            """);

        Assert.That(result.Problems.Select(p => p.Line), Is.EqualTo(new[] { 1, 3, 4, 5, 5, 6 }));
    }

    [Test]
    public void A_file_that_is_not_there_is_an_error_that_says_what_to_do()
        => Assert.That(AgentConfigurationReader.ReadFile("/nowhere/agent.yml").Problems.Single().ToString(), Does.StartWith("/nowhere/agent.yml: no such file; write it"));

    [Test]
    public void A_file_that_others_may_write_is_warned_of()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory["agent.yml"], "host: a\n");
        File.SetUnixFileMode(directory["agent.yml"], (UnixFileMode)0b110_110_110);

        var result = AgentConfigurationReader.ReadFile(directory["agent.yml"]);

        Assert.That(result.Configuration, Is.Not.Null);
        Assert.That(result.Warnings.Single(), Does.Contain("chmod go-w"));
    }

    [Test]
    public void An_env_file_that_others_may_read_or_that_is_not_there_is_warned_of()
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory["apps"]);
        File.WriteAllText(directory["agent.yml"], "apps: { shop: { env_file: /nowhere/shop.env } }");
        File.WriteAllText(directory["apps/other.env"], "");
        File.SetUnixFileMode(directory["apps/other.env"], (UnixFileMode)0b110_100_100);

        var warnings = AgentConfigurationReader.ReadFile(directory["agent.yml"]).Warnings;

        Assert.That(warnings, Has.Count.EqualTo(2));
        Assert.That(warnings[0], Does.Contain("/nowhere/shop.env cannot be read"));
        Assert.That(warnings[1], Does.Contain("other.env can be read or written by others"));
    }

    [Test]
    public void The_env_file_beside_agent_yml_is_used_when_it_exists()
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory["apps"]);
        File.WriteAllText(directory["agent.yml"], "");
        File.WriteAllText(directory["apps/shop.env"], "");

        var configuration = AgentConfigurationReader.ReadFile(directory["agent.yml"]).Configuration!;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(configuration.EnvFileOf(AppName.Parse("shop")), Is.EqualTo(directory["apps/shop.env"]));
            Assert.That(configuration.EnvFileOf(AppName.Parse("other")), Is.Null);
        }
    }

    [Test]
    public void Thousands_of_brackets_are_refused_and_do_not_end_the_process()
        => Assert.That(Read("host: " + new string('[', 100_000)).Problems.Single().Reason, Does.Contain("nested deeper"));

    [TestCase("? &a [*a]\n: 1\n", TestName = "An_alias_within_what_it_stands_for_is_refused_and_does_not_end_the_process")]
    [TestCase("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n? *c\n: 1\n", TestName = "Aliases_of_aliases_are_refused_before_they_cost_anything")]
    public void Aliases_are_refused(string text)
        => Assert.That(Read(text).Problems.Single().Reason, Does.Contain("there is an alias; write the value out"));

    [Test]
    public void What_is_shown_of_the_file_steers_no_terminal()
        => Assert.That(Read("\"\\e[2Jhost\": 1\nhost: \"a\\e]0;x\\a\"\n").Problems.Select(p => p.ToString()), Has.All.Not.Contains("\u001b").And.Exactly(2).Items);

    [Test]
    public void Of_many_mistakes_the_first_are_told_and_how_many_more_there_are()
    {
        var problems = Read(string.Concat(Enumerable.Range(0, 20_000).Select(n => $"wrong{n}: 1\n"))).Problems;

        Assert.That(problems, Has.Count.EqualTo(101));
        Assert.That(problems[^1].Reason, Is.EqualTo("and 19900 more problems; correct these first"));
    }

    [Test]
    [CancelAfter(20_000)]
    public void Many_apps_are_read_in_no_time()
        => Assert.That(Valid("apps:\n" + string.Concat(Enumerable.Range(0, 30_000).Select(n => $"  a{n}: {{}}\n"))).Apps, Has.Count.EqualTo(30_000));

    [Test]
    public void Any_garbage_is_read_or_refused_with_a_place()
    {
        string[] pieces =
        [
            "host", "listen", "tcp", "limits", "balancers", "edge", ": ", ":\n  ", "\n", "- ", "{", "}", "[", "]", ", ", "\"", "'", "|", ">", "&a ", "*a", "!!int ", "<<",
            "#", "---", "...", "\t", "? ", "%YAML 9.9", "127.0.0.1:1", "9999999999999999999GiB", "1e9s", "~", "\0", "\uFEFF", "é",
        ];
        var piece = Gen.OneOf(Gen.Int[0, pieces.Length - 1].Select(i => pieces[i]), Gen.String[0, 5]);

        piece.Array[0, 30].Select(string.Concat).Sample(
            text =>
            {
                var result = Read(text);
                return result.Configuration is not null ? result.Problems.Count == 0 : result.Problems.All(p => p.Reason.Length > 0 && p.Line >= 0);
            },
            iter: 3000);
    }

    private static IEnumerable<string> Words(IReadOnlyDictionary<string, IReadOnlyList<RoleName>> grants)
        => grants.Select(g => $"{g.Key}: {string.Join(", ", g.Value)}");
}
