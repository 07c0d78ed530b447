using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Decant.EndToEnd.Harness;

namespace Decant.Benchmarks;

/// <summary>
/// The embedded proxy beside HAProxy (one thread) and nginx (one worker), before one upstream that answers twelve bytes, by
/// <c>wrk -t1 -c50</c>: in turns, several rounds, since the machine is never quiet. Goal: at least 0.8 × nginx's throughput, p99 at most 1.5 × nginx's.
/// </summary>
internal static partial class ProxyBenchmark
{
    private const int Rounds = 5;
    private const int Seconds = 4;

    public static async Task RunAsync(CancellationToken cancellation)
    {
        var directory = Directory.CreateTempSubdirectory("decant-bench-").FullName;
        using var ports = new FreePorts();
        var upstream = ports.Next();
        await using var server = Nginx(directory, "upstream", $"server {{ listen 127.0.0.1:{upstream} backlog=4096; location / {{ default_type text/plain; return 200 \"hello world\\n\"; }} }}");
        var nginxPort = ports.Next();
        await using var nginx = Nginx(directory, "nginx", $$"""
            upstream u { server 127.0.0.1:{{upstream}}; keepalive 64; keepalive_requests 1000000000; }
            server {
              listen 127.0.0.1:{{nginxPort}} backlog=4096;
              location / {
                proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
                proxy_set_header X-Forwarded-For $remote_addr; proxy_pass http://u;
              }
            }
            """);
        var haproxyPort = ports.Next();
        await using var haproxy = await HaproxyAsync(directory, haproxyPort, upstream, cancellation);
        var proxyPort = ports.Next();
        await using var proxy = await ProxyAsync(directory, proxyPort, upstream, cancellation);

        Proxied[] all =
        [
            new("direct", upstream, () => 0),
            new("HAProxy, 1 thread", haproxyPort, () => haproxy.Pid),
            new("nginx, 1 worker", nginxPort, () => Child(nginx.Pid)),
            new("decantd proxy", proxyPort, () => proxy.Pid),
        ];
        foreach (var one in all) await Eventually.TrueAsync(() => AnswersAsync(one.Port, cancellation), one.Name, cancellation);
        foreach (var one in all) await LoadAsync(one, 2, warm: true, cancellation);
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var one in all) await LoadAsync(one, Seconds, warm: false, cancellation);
        }

        Print(all);
        foreach (var master in new[] { nginx, server })
        {
            // One that is killed leaves its workers behind.
            await master.SignalAsync("TERM");
            await master.WaitForExitAsync(CancellationToken.None);
        }

        Directory.Delete(directory, recursive: true);
    }

    private static void Print(Proxied[] all)
    {
        var nginx = all[2];
        Console.WriteLine($"wrk -t1 -c50 -d{Seconds}s, 12-byte body, medians of {Rounds} rounds, {Environment.ProcessorCount} processors shared by everything");
        Console.WriteLine($"  {"",-18} {"requests/s",12} {"p99 ms",8} {"CPU µs/req",11} {"memory MB",10} {"× nginx",8} {"p99 × nginx",12} {"errors",7}");
        foreach (var one in all)
        {
            // The ratio of each round is that of two neighbours in time.
            var ratio = new Samples();
            for (var round = 0; round < Rounds; round++) ratio.Add(one.Runs[round].PerSecond / nginx.Runs[round].PerSecond);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {one.Name,-18} {Median(one, r => r.PerSecond),12:0} {Median(one, r => r.P99),8:0.00} {Median(one, r => r.Cpu),11:0.0} {one.Memory(),10:0.0} {ratio.Median,8:0.00} {Median(one, r => r.P99) / Median(nginx, r => r.P99),12:0.00} {one.Runs.Sum(r => r.Errors),7}"));
        }
    }

    private static double Median(Proxied one, Func<Run, double> of) => one.Runs.Select(of).Order().ElementAt(Rounds / 2);

    private static RunningProgram Nginx(string directory, string name, string http)
    {
        var file = Path.Combine(directory, $"{name}.conf");
        File.WriteAllText(file, $$"""
            worker_processes 1; daemon off; pid {{directory}}/{{name}}.pid; error_log {{directory}}/{{name}}.log crit;
            events { worker_connections 4096; }
            http { access_log off; keepalive_requests 1000000000; {{http}} }
            """);
        return RunningProgram.Start("/usr/sbin/nginx", ["-c", file]);
    }

    private static async Task<RunningProgram> HaproxyAsync(string directory, int port, int upstream, CancellationToken cancellation)
    {
        var file = Path.Combine(directory, "haproxy.cfg");
        await File.WriteAllTextAsync(file, $"""
            global
              maxconn 4000
              nbthread 1
            defaults
              mode http
              timeout connect 2s
              timeout client 60s
              timeout server 60s
            frontend f
              bind 127.0.0.1:{port}
              option forwardfor
              default_backend b
            backend b
              server s 127.0.0.1:{upstream}

            """, cancellation);
        return RunningProgram.Start("/usr/sbin/haproxy", ["-db", "-f", file]);
    }

    private static async Task<RunningProgram> ProxyAsync(string directory, int port, int upstream, CancellationToken cancellation)
    {
        var socket = Path.Combine(directory, "proxy.sock");
        var file = Path.Combine(directory, "agent.yml");
        await File.WriteAllTextAsync(file, $$"""
            data_dir: {{directory}}/data
            proxy: { listen: "127.0.0.1:{{port}}", socket: {{socket}} }
            """, cancellation);
        var proxy = RunningProgram.Start(Programs.Decantd, ["proxy", "--config", file]);
        await proxy.WaitForLineAsync("proxy is ready", cancellation);
        using var client = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, stop) =>
            {
                var admin = new System.Net.Sockets.Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await admin.ConnectAsync(new UnixDomainSocketEndPoint(socket), stop);
                return new NetworkStream(admin, ownsSocket: true);
            },
        });
        var change = $$"""{"into":[{"member":"one","address":"127.0.0.1:{{upstream}}","weight":100}],"out_of":[],"maintenance":[],"remove":[],"min_others_up":0,"deadline_ms":5000}""";
        using var response = await client.PostAsync("http://proxy/backends/bench/change", new StringContent(change, Encoding.UTF8), cancellation);
        response.EnsureSuccessStatusCode();
        return proxy;
    }

    private static async Task LoadAsync(Proxied one, int seconds, bool warm, CancellationToken cancellation)
    {
        var before = one.CpuTicks();
        var wrk = await CommandResult.RunAsync("/usr/bin/wrk", ["-t1", "-c50", $"-d{seconds}s", "--latency", $"http://127.0.0.1:{one.Port}/"], cancellation);
        if (warm) return;
        var perSecond = double.Parse(PerSecond().Match(wrk.Output).Groups[1].Value, CultureInfo.InvariantCulture);
        var total = double.Parse(Total().Match(wrk.Output).Groups[1].Value, CultureInfo.InvariantCulture);
        var p99 = P99().Match(wrk.Output);
        var unit = p99.Groups[2].Value switch { "us" => 0.001, "ms" => 1, _ => 1000 };
        // USER_HZ is 100 on every architecture that Linux has today.
        one.Runs.Add(new Run(
            perSecond, double.Parse(p99.Groups[1].Value, CultureInfo.InvariantCulture) * unit, (one.CpuTicks() - before) * 1e4 / total, Errors(wrk.Output)));
    }

    private static int Errors(string output)
        => ErrorCounts().Matches(output).Sum(m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture));

    private static async Task<bool> AnswersAsync(int port, CancellationToken cancellation)
    {
        using var client = new HttpClient();
        try
        {
            return await client.GetStringAsync($"http://127.0.0.1:{port}/", cancellation) == "hello world\n";
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static int Child(int pid)
        => int.Parse(File.ReadAllText($"/proc/{pid}/task/{pid}/children").Split(' ')[0], CultureInfo.InvariantCulture);

    [GeneratedRegex(@"Requests/sec:\s+([\d.]+)")]
    private static partial Regex PerSecond();

    [GeneratedRegex(@"(\d+) requests in")]
    private static partial Regex Total();

    [GeneratedRegex(@"99%\s+([\d.]+)(us|ms|s)")]
    private static partial Regex P99();

    [GeneratedRegex(@"(?:Non-2xx or 3xx responses:|connect|read|write|timeout) (\d+)")]
    private static partial Regex ErrorCounts();

    private sealed record Run(double PerSecond, double P99, double Cpu, int Errors);

    private sealed record Proxied(string Name, int Port, Func<int> Pid)
    {
        public List<Run> Runs { get; } = [];

        public double CpuTicks()
        {
            if (Pid() is not (> 0 and var pid)) return 0;
            var fields = File.ReadAllText($"/proc/{pid}/stat").Split(") ")[^1].Split(' ');
            return double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture);
        }

        public double Memory() => Pid() is > 0 and var pid ? ResidentMemory.Of(pid) / 1048576.0 : 0;
    }
}
