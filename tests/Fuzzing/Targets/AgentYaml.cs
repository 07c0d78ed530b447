using System.Text;
using Decant.Agent.Configuration;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary><c>agent.yml</c>: a configuration, or problems that name their places.</summary>
internal sealed class AgentYaml : FuzzTarget
{
    private const string Full = """
        host: web1
        data_dir: /var/lib/decant
        listen: { unix: /run/decant/decantd.sock, tcp: 127.0.0.1:7420 }
        apps:
          shop: { env_file: /etc/decant/apps/shop.env }
        balancers:
          edge: { kind: haproxy, socket: /run/haproxy/admin.sock, members: managed, member_options: "check inter 1s" }
          local: { kind: nginx, config: /etc/nginx/nginx.conf, upstreams: /etc/nginx/decant, program: /usr/sbin/nginx, pid: /run/nginx.pid }
          caddy: { kind: caddy, admin: http://localhost:2019 }
          asked: { kind: agent-check }
          cloud: { kind: command, program: /usr/local/lib/x.sh, timeout: 30s }
        agent_check: { listen: 0.0.0.0:7421, from: "10.0.0.5, 10.0.0.6" }
        proxy:
          listen: 0.0.0.0:8080
          socket: /run/decant/proxy.sock
          hold: 5s
          trust_forwarded: false
          backends:
            shop: { hosts: [shop.example, www.shop.example], check: /health, check_every: 1s }
        supervisor: process
        limits: { archive_bytes: 512MiB, unpacked_bytes: 2GiB, ratio: 200, entries: 50000, disk_floor: 512MiB, log_bytes: 10MiB, log_files: 5 }
        restart: { backoff_min: 1s, backoff_max: 60s, reset_after: 60s }
        epmd_port: 4369
        journal: { keep_operations: 10000 }
        logging: { level: information, format: text }

        """;

    public override IEnumerable<byte[]> Seeds => Bytes(
        Full, "", "host: a\n", "a: &x [1]\nb: *x\n", "? &x [*x]\n: 1\n", "? {a: b}\n: c\n", "- a\n", ":\n", "a: &a [x, x]\nb: &b [*a, *a]\n? *b\n: 1\n");

    public override IReadOnlyList<byte[]> Words => Bytes(
        ": ", "- ", "\n  ", "\t", "{", "}", "[", "]", "&a ", "*a", "!!x ", "!!int ", "'", "\"", "|\n", ">-\n", "# ", "---\n", "...\n", "%YAML 1.1\n", "? ", ", ", "<<: ", "\\", "\0", "\uFEFF", "null", "~", "host", "listen", "unix",
        "tcp", "off", "apps", "balancers", "kind", "haproxy", "socket", "proxy", "backends", "hosts", "limits", "512MiB", "1s", "[::1]:1", "127.0.0.1:0", "localhost:1", "http://", "unix//", "/", "&b [*a, *a]\n", "? *b\n");

    public override int Largest => 128 << 10;

    public override long MayAllocate(int length) => (4 << 20) + (4000L * length);

    public override string Run(byte[] input)
    {
        var result = AgentConfigurationReader.Read("/etc/decant/agent.yml", new StringReader(Encoding.UTF8.GetString(input)));
        Promise((result.Configuration is null) == (result.Problems.Count > 0), "there is a configuration and problems, or neither");
        if (result.Configuration is not null) return $"valid {result.Warnings.Count}";
        Promise(result.Problems.Count < 200, "there is no end of problems");
        foreach (var problem in result.Problems)
        {
            Promise(problem is { Line: >= 0, Column: >= 0, Reason.Length: > 0 }, "a problem has no place");
            Readable(problem.ToString());
        }

        return result.Problems[0].Reason;
    }
}
