namespace Decant.EndToEnd.Harness;

/// <summary>Debian's nginx with an agent of its own before a fleet's hosts, and a configuration that is broken and mended by hand, or has no room left.</summary>
internal sealed class BrokenNginx : IAsyncDisposable
{
    private readonly FreePorts ports;
    private readonly string configuration;
    private readonly string good;
    private readonly SmallDisk disk;
    private readonly RunningProgram program;

    private BrokenNginx(FreePorts ports, TestHost host, int port, string configuration, string good, SmallDisk disk)
    {
        (this.ports, Host, this.configuration, this.good, this.disk) = (ports, host, configuration, good, disk);
        Url = new Uri($"http://127.0.0.1:{port}");
        program = RunningProgram.Start("/usr/sbin/nginx", ["-c", configuration, "-g", "daemon off;"]);
    }

    /// <summary>Where clients reach it.</summary>
    public Uri Url { get; }

    /// <summary>The host of its agent.</summary>
    public TestHost Host { get; }

    /// <summary>Starts both; every host of the fleet is a member of <c>demo</c>.</summary>
    public static async Task<BrokenNginx> StartAsync(TestFleet fleet, CancellationToken cancellation)
    {
        var ports = new FreePorts();
        var directory = Directory.CreateDirectory(Path.Combine(fleet.Directory, "nginx")).FullName;
        var upstreams = Path.Combine(directory, "decant");
        var disk = await SmallDisk.MountAsync(upstreams, "64k");
        var (configuration, pid, port) = (Path.Combine(directory, "nginx.conf"), Path.Combine(directory, "nginx.pid"), ports.Next());
        await File.WriteAllTextAsync(Path.Combine(upstreams, "demo.conf"), $$"""
            upstream demo {
            {{string.Join('\n', fleet.Hosts.Select(h => $"  server 127.0.0.1:{h.AppPort}; # member {h.Name}"))}}
            }

            """, cancellation);
        var good = Configuration(directory, pid, upstreams, port);
        await File.WriteAllTextAsync(configuration, good, cancellation);
        var host = new TestHost("nginx-lb", fleet.Directory, ports.Next(), 0, ports.Next(), $$"""
            balancers:
              edge: { kind: nginx, config: {{configuration}}, upstreams: {{upstreams}}, program: /usr/sbin/nginx, pid: {{pid}} }
            """);
        var nginx = new BrokenNginx(ports, host, port, configuration, good, disk);
        await Eventually.TrueAsync(() => Task.FromResult(File.Exists(pid)), "nginx's pid file", cancellation);
        await host.StartAgentAsync(cancellation);
        return nginx;
    }

    /// <summary>Writes what nginx does not take; it serves on with what it has read.</summary>
    public void Break() => File.WriteAllText(configuration, $"{good}\nfrobnicate on;\n");

    /// <summary>Takes that back.</summary>
    public void Mend() => File.WriteAllText(configuration, good);

    /// <summary>Leaves no room where the agent writes.</summary>
    public void FillDisk() => disk.Fill();

    /// <summary>Takes that back.</summary>
    public void FreeDisk() => disk.Free();

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        // A master that is killed would leave its workers behind.
        await program.SignalAsync("TERM");
        await program.WaitForExitAsync(CancellationToken.None);
        await program.DisposeAsync();
        await disk.DisposeAsync();
        ports.Dispose();
    }

    private static string Configuration(string directory, string pid, string upstreams, int port) => $$"""
        # Its user is the test's, so that it may use the test's directory.
        user {{Environment.UserName}} {{Environment.UserName}};
        worker_processes 2;
        pid {{pid}};
        error_log {{directory}}/error.log notice;
        events { worker_connections 512; }
        http {
          access_log off;
          client_body_temp_path {{directory}}/body;
          proxy_temp_path {{directory}}/proxy;
          fastcgi_temp_path {{directory}}/fastcgi;
          uwsgi_temp_path {{directory}}/uwsgi;
          scgi_temp_path {{directory}}/scgi;
          include {{upstreams}}/*.conf;
          server {
            listen 127.0.0.1:{{port}};
            location / {
              proxy_pass http://demo;
              proxy_http_version 1.1;
              proxy_set_header Connection "";
            }
          }
        }
        """;
}
