using System.Diagnostics;

namespace Decant.Load;

/// <summary>
/// A steady load with an open model: requests are due at a constant rate whatever the answers do, and a latency counts from when its request
/// was due, so that a stall is seen in full (no coordinated omission).
/// </summary>
public sealed class LoadRun
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(5);

    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly List<Sample> samples = [];
    private readonly List<(string Name, TimeSpan At)> marks = [];
    private readonly List<WebsocketEnd> websocketEnds = [];
    private readonly CancellationTokenSource stop = new();
    private readonly Requests requests;
    private readonly Task scheduling;
    private int inFlight;
    private int maxInFlight;

    private LoadRun(LoadOptions options)
    {
        requests = new Requests(options);
        Mark("before");
        scheduling = Task.WhenAll(
            ScheduleAsync(Traffic.Fast, options.FastRate),
            ScheduleAsync(Traffic.NewConnection, options.NewConnectionRate),
            ScheduleAsync(Traffic.Slow, options.SlowRate),
            ScheduleAsync(Traffic.Stream, options.StreamRate),
            ScheduleAsync(Traffic.Upload, options.UploadRate),
            Task.WhenAll(Enumerable.Range(0, options.Websockets).Select(_ => KeepWebsocketAsync(options.Url))));
    }

    /// <summary>Begins.</summary>
    public static LoadRun Start(LoadOptions options) => new(options);

    /// <summary>Begins a phase: requests that are due from now on belong to it.</summary>
    public void Mark(string phase)
    {
        lock (marks) marks.Add((phase, clock.Elapsed));
    }

    /// <summary>How many requests have succeeded so far.</summary>
    public int Succeeded
    {
        get
        {
            lock (samples) return samples.Count(s => s.Failure is null);
        }
    }

    /// <summary>Ends: no more requests are made, those in flight are waited for.</summary>
    public async Task<LoadReport> StopAsync()
    {
        await stop.CancelAsync();
        var duration = clock.Elapsed;
        await scheduling;
        requests.Dispose();
        lock (samples) lock (marks) return new LoadReport([.. samples], [.. marks], duration, maxInFlight, [.. websocketEnds]);
    }

    private Task KeepWebsocketAsync(Uri url) => new WebsocketClient(url, () => clock.Elapsed, Account, Ended).RunAsync(stop.Token);

    private void Account(Sample sample)
    {
        lock (samples) samples.Add(sample);
    }

    private void Ended(WebsocketEnd end)
    {
        lock (samples) websocketEnds.Add(end);
    }

    private async Task ScheduleAsync(Traffic traffic, double rate)
    {
        if (rate <= 0) return;
        var running = new List<Task>();
        var begin = clock.Elapsed;
        long made = 0;
        using var timer = new PeriodicTimer(Tick);
        while (!stop.IsCancellationRequested)
        {
            var due = (long)((clock.Elapsed - begin).TotalSeconds * rate);
            for (; made < due; made++)
            {
                var at = begin + TimeSpan.FromSeconds((made + 1) / rate);
                running.Add(Task.Run(() => RequestAsync(traffic, at), CancellationToken.None));
            }

            running.RemoveAll(task => task.IsCompleted);
            await timer.WaitForNextTickAsync(CancellationToken.None);
        }

        await Task.WhenAll(running);
    }

    private async Task RequestAsync(Traffic traffic, TimeSpan at)
    {
        var now = Interlocked.Increment(ref inFlight);
        for (var seen = maxInFlight; now > seen; seen = maxInFlight)
        {
            if (Interlocked.CompareExchange(ref maxInFlight, now, seen) == seen) break;
        }

        var (version, failure, repeated) = await requests.SendAsync(traffic);
        Interlocked.Decrement(ref inFlight);
        Account(new Sample(traffic, at, clock.Elapsed - at, version, failure, repeated));
    }
}
