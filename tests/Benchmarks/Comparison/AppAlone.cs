using System.Diagnostics;
using Decant.EndToEnd.Harness;

namespace Decant.Benchmarks.Comparison;

/// <summary>The app started and stopped by its own script, with nobody who deploys: what any way of deploying has to wait for.</summary>
internal sealed class AppAlone : IAsyncDisposable
{
    private readonly RunningProgram app;
    private readonly string script;
    private readonly IReadOnlyDictionary<string, string> environment;

    private AppAlone(RunningProgram app, string script, IReadOnlyDictionary<string, string> environment, TimeSpan boot)
        => (this.app, this.script, this.environment, Boot) = (app, script, environment, boot);

    /// <summary>From <c>start</c> until it was healthy.</summary>
    public TimeSpan Boot { get; }

    /// <summary>Unpacks the release into the directory.</summary>
    public static async Task UnpackAsync(string archive, string directory, CancellationToken cancellation)
    {
        Directory.CreateDirectory(directory);
        await CommandResult.RunAsync("/bin/tar", ["xzf", archive, "-C", directory], cancellation);
    }

    /// <summary>Starts it; returns when it is healthy.</summary>
    /// <param name="directory">Where the release is unpacked.</param>
    /// <param name="environment">The app's, with PORT.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<AppAlone> StartAsync(string directory, IReadOnlyDictionary<string, string> environment, CancellationToken cancellation)
    {
        var script = Path.Combine(directory, "bin", "demo");
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{environment["PORT"]}") };
        var clock = Stopwatch.StartNew();
        var app = RunningProgram.Start(script, ["start"], environment);
        await Eventually.TrueAsync(() => IsHealthyAsync(http, cancellation), "the app alone is healthy", cancellation);
        return new AppAlone(app, script, environment, clock.Elapsed);
    }

    /// <summary>From <c>stop</c> until its process is gone.</summary>
    public async Task<TimeSpan> StopAsync(CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        await CommandResult.RunAsync(script, ["stop"], cancellation, environment);
        await app.WaitForExitAsync(cancellation);
        return clock.Elapsed;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    private static async Task<bool> IsHealthyAsync(HttpClient http, CancellationToken cancellation)
    {
        try
        {
            using var response = await http.GetAsync("/health", cancellation);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
