using System.Globalization;
using System.Text.RegularExpressions;

namespace Decant.EndToEnd.Harness;

/// <summary><c>decantd proxy</c> behind a listening socket that stays open while it restarts.</summary>
internal sealed partial class ProxyProcess : Front
{
    private readonly RunningProgram launcher;
    private int runs;

    private ProxyProcess(RunningProgram launcher, int port) => (this.launcher, Url) = (launcher, new Uri($"http://127.0.0.1:{port}"));

    /// <summary>Where clients reach it.</summary>
    public override Uri Url { get; }

    /// <summary>What it and its launcher printed.</summary>
    public string Output => launcher.Output;

    /// <summary>Process id of the proxy that runs now.</summary>
    public int Pid { get; private set; }

    /// <summary>Starts it; returns when it is ready.</summary>
    public static async Task<ProxyProcess> StartAsync(string configuration, int port, CancellationToken cancellation)
    {
        var script = Path.Combine(Programs.Repository, "tests", "EndToEnd", "listen_fds.py");
        var proxy = new ProxyProcess(
            RunningProgram.Start("/usr/bin/python3", [script, $"{port}", Programs.Decantd, "proxy", "--config", configuration]), port);
        await proxy.ReadyAsync(cancellation);
        return proxy;
    }

    /// <summary>SIGTERM, and another one takes over; returns when that is ready.</summary>
    public async Task RestartAsync(CancellationToken cancellation)
    {
        using (var kill = System.Diagnostics.Process.Start("/bin/kill", ["-TERM", $"{Pid}"])) await kill.WaitForExitAsync(cancellation);
        await launcher.WaitForLineAsync($"run {runs} ended with 0.", cancellation);
        await ReadyAsync(cancellation);
    }

    public override async ValueTask DisposeAsync()
    {
        await launcher.SignalAsync("TERM");
        await launcher.WaitForExitAsync(CancellationToken.None);
        await launcher.DisposeAsync();
    }

    private async Task ReadyAsync(CancellationToken cancellation)
    {
        var line = await launcher.WaitForLineAsync($"run {++runs} has pid", cancellation);
        Pid = int.Parse(PidOf().Match(line).Groups[1].Value, CultureInfo.InvariantCulture);
        await launcher.WaitForLineAsync("proxy is ready", $"pid {Pid},", cancellation);
    }

    [GeneratedRegex(@"has pid (\d+)\.")]
    private static partial Regex PidOf();
}
