namespace Decant.EndToEnd.Harness;

/// <summary>Debian's nginx in front of a test fleet, as the README sets it up.</summary>
internal sealed class Nginx : Front
{
    private readonly RunningProgram program;

    private Nginx(RunningProgram program, int port) => (this.program, Url) = (program, new Uri($"http://127.0.0.1:{port}"));

    public override Uri Url { get; }

    /// <summary>Starts it with a backend that has no members yet.</summary>
    public static async Task<Nginx> StartAsync(string directory, int port, CancellationToken cancellation)
    {
        var upstreams = Directory.CreateDirectory(Path.Combine(directory, "upstreams")).FullName;
        await File.WriteAllTextAsync(Path.Combine(upstreams, "demo.conf"), """
            upstream demo {
                keepalive 16;
                server 127.0.0.1:9 down; # nobody: nginx wants at least one
            }

            """, cancellation);
        var configuration = Path.Combine(directory, "nginx.conf");
        await File.WriteAllTextAsync(configuration, $$"""
            # Its user is the test's, so that it may use the test's directory.
            user {{Environment.UserName}} {{Environment.UserName}};
            worker_processes 2;
            pid {{directory}}/nginx.pid;
            error_log {{directory}}/nginx.log notice;
            events { worker_connections 2048; }
            http {
              access_log off;
              client_max_body_size 10m;
              client_body_temp_path {{directory}}/nginx-body;
              proxy_temp_path {{directory}}/nginx-proxy;
              fastcgi_temp_path {{directory}}/nginx-fastcgi;
              uwsgi_temp_path {{directory}}/nginx-uwsgi;
              scgi_temp_path {{directory}}/nginx-scgi;
              include {{upstreams}}/*.conf;
              map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
              server {
                listen 127.0.0.1:{{port}};
                location / {
                  proxy_pass http://demo;
                  proxy_http_version 1.1;
                  proxy_set_header Host $host;
                  proxy_set_header Upgrade $http_upgrade;
                  proxy_set_header Connection $connection_upgrade;
                }
              }
            }

            """, cancellation);
        var nginx = new Nginx(RunningProgram.Start("/usr/sbin/nginx", ["-c", configuration, "-g", "daemon off;"]), port);
        await Eventually.TrueAsync(() => Task.FromResult(File.Exists(Path.Combine(directory, "nginx.pid"))), "nginx's pid file", cancellation);
        return nginx;
    }

    public override async ValueTask DisposeAsync()
    {
        // The workers end with their master only when it is asked to.
        await program.SignalAsync("TERM");
        await program.WaitForExitAsync(CancellationToken.None);
        await program.DisposeAsync();
    }
}
