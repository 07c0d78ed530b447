using System.Diagnostics;
using System.Globalization;
using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Agent.Supervision;
using Decant.Names;

namespace Decant.Agent.Tests.Balancers;

/// <summary>Debian's nginx, with everything that it has in a directory of the test's own.</summary>
internal sealed class RealNginx : IRealBalancer
{
    private readonly TemporaryDirectory directory = new();
    private readonly HttpClient client;

    private RealNginx() => client = UnixFront.Client(directory["front.sock"], keepAlive: false);

    public string ConfigurationFile => directory["nginx.conf"];

    public string UpstreamFile => directory["decant/shop.conf"];

    public string PidFile => directory["nginx.pid"];

    public string this[string file] => directory[file];

    public static async Task<RealNginx> StartAsync(IEnumerable<TestMember> members, string directives = "")
    {
        var nginx = new RealNginx();
        Directory.CreateDirectory(nginx.directory["decant"]);
        await File.WriteAllTextAsync(nginx.ConfigurationFile, $$"""
            # Its user is the test's, so that it may use the test's directory.
            user {{Environment.UserName}} {{Environment.UserName}};
            worker_processes 2;
            pid {{nginx.PidFile}};
            error_log {{nginx.directory["error.log"]}} notice;
            events { worker_connections 256; }
            http {
              access_log off;
              client_body_temp_path {{nginx.directory["body"]}};
              proxy_temp_path {{nginx.directory["proxy"]}};
              fastcgi_temp_path {{nginx.directory["fastcgi"]}};
              uwsgi_temp_path {{nginx.directory["uwsgi"]}};
              scgi_temp_path {{nginx.directory["scgi"]}};
              include {{nginx.directory["decant"]}}/*.conf;
              server {
                listen unix:{{nginx.directory["front.sock"]}};
                location / {
                  proxy_pass http://shop;
                  proxy_http_version 1.1;
                  proxy_set_header Connection "";
                }
              }
            }
            """);
        await File.WriteAllTextAsync(nginx.UpstreamFile, $$"""
            upstream shop {
              {{directives}}
            {{string.Join('\n', members.Select(m => $"  server 127.0.0.1:{m.Port}; # member {m.Name}"))}}
            }

            """);
        await nginx.RunAsync();
        return nginx;
    }

    /// <summary>Starts it (again).</summary>
    public async Task RunAsync()
    {
        File.Delete(directory["front.sock"]);
        using var nginx = Process.Start(new ProcessStartInfo("/usr/sbin/nginx", ["-c", ConfigurationFile]) { RedirectStandardError = true })!;
        var words = await nginx.StandardError.ReadToEndAsync();
        await nginx.WaitForExitAsync();
        Assert.That(nginx.ExitCode, Is.Zero, words);
        await Eventually.TrueAsync(() => Processes().Count > 1, "nginx's workers");
    }

    public NginxBalancer Balancer(TableTimings? timings = null) => new(
        BalancerName.Parse("front"),
        new BalancerSettings.Nginx(ConfigurationFile, directory["decant"], "/usr/sbin/nginx", PidFile),
        timings ?? new TableTimings(),
        TimeProvider.System);

    public IBalancer Open() => Balancer();

    public Task<string> GetAsync(string path) => client.GetStringAsync(path);

    public async Task ReloadAsync()
    {
        var before = Processes();
        Signals.Send(before[0], 1);
        await Eventually.TrueAsync(() => Processes().Count(p => !before.Contains(p)) >= 2, "new workers");
    }

    public async Task KillAsync()
    {
        var all = Processes();
        foreach (var process in all) Signals.Kill(process.Pid);
        await Eventually.TrueAsync(() => all.All(p => !p.IsAlive), "nginx's end");
    }

    /// <summary>The master and its workers, those on their way out included.</summary>
    public IReadOnlyList<ProcessIdentity> Processes()
    {
        if (!File.Exists(PidFile) || !int.TryParse(File.ReadAllText(PidFile).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
            || ProcessIdentity.Of(pid) is not { } master) return Array.Empty<ProcessIdentity>();
        var workers = File.ReadAllText($"/proc/{pid}/task/{pid}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return [master, .. workers.Select(w => ProcessIdentity.Of(int.Parse(w, CultureInfo.InvariantCulture))).OfType<ProcessIdentity>()];
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await KillAsync();
        directory.Dispose();
    }
}
