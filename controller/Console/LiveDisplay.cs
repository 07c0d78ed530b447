using System.Threading.Channels;
using Decant.Controller.Execution;
using Decant.Controller.Fleet;
using Decant.Controller.Planning;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Decant.Controller.Console;

/// <summary>For people who watch: a row for each host with its step, how long it has taken, and what it waits for; below it the last lines.</summary>
internal sealed class LiveDisplay : DeploymentDisplay
{
    private const int LinesShown = 8;
    private const string Beginning = "looking at the hosts …";
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(200);

    private readonly Terminal terminal;
    private readonly TimeProvider time;
    private readonly Channel<DeploymentEvent> events = Channel.CreateUnbounded<DeploymentEvent>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Dictionary<HostName, Row> rows = [];
    private readonly Queue<string> lines = new();
    private readonly Task drawing;

    public LiveDisplay(Terminal terminal, TimeProvider time)
    {
        this.terminal = terminal;
        this.time = time;
        drawing = Task.Run(DrawAsync);
    }

    /// <inheritdoc/>
    public override void Show(DeploymentEvent item) => events.Writer.TryWrite(item);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        events.Writer.TryComplete();
        drawing.GetAwaiter().GetResult();
        base.Dispose(disposing);
    }

    private async Task DrawAsync()
    {
        DeploymentEnded? end = null;
        await terminal.Output.Live(new Text(Beginning)).StartAsync(async live =>
        {
            using var timer = new PeriodicTimer(Refresh, time);
            var open = true;
            while (open)
            {
                while (events.Reader.TryRead(out var item))
                {
                    end = item as DeploymentEnded ?? end;
                    Take(item);
                }

                live.UpdateTarget(Picture());
                open = !events.Reader.Completion.IsCompleted;
                if (open) await timer.WaitForNextTickAsync();
            }
        });

        // The account stays on the screen when the live part is over.
        if (end is null) return;
        foreach (var line in EventText.Of(end)) terminal.Line(line);
    }

    private void Take(DeploymentEvent item)
    {
        switch (item)
        {
            case PlanMade made:
                foreach (var host in made.Plan.Waves.SelectMany(w => w.Hosts.Select(h => (Wave: w, Host: h))))
                    rows[host.Host.Host] = new Row($"{(made.IsRollback ? "rollback " : "")}wave {host.Wave.Number}", "waiting", null, "");
                foreach (var untouched in made.Plan.Untouched) rows[untouched.Host] = new Row("-", "untouched", null, untouched.Why);
                break;
            // Hosts are done by then: what is kept on them is no news in their rows.
            case StepStarted { Run.Step: PruneStep } or StepProgressed { Run.Step: PruneStep } or StepEnded { Run.Step: PruneStep }:
                break;
            case StepStarted { Run.Step: var step }:
                Change(step.Host, row => row with { Step = step.Verb, Since = time.GetTimestamp(), Detail = "" });
                break;
            case StepProgressed { Run.Step: var step, Progress: var progress }:
                Change(step.Host, row => row with { Detail = Describe(progress) ?? row.Detail });
                break;
            case StepEnded { Run.Step: StageStep or PreflightStep or MigrateStep, End: { Succeeded: true } end, Run.Step: var step }:
                Change(step.Host, row => row with { Step = "waiting", Since = null, Detail = $"{step.Verb}: {(end.Detail.Length > 0 ? end.Detail : "done")}" });
                break;
            case StepEnded { Run.Step: var step, End: var end }:
                Change(step.Host, row => row with { Since = null, Detail = end.Succeeded ? end.Detail : end.Error?.Message ?? "" });
                break;
            case HostDone done:
                Change(done.Host, row => row with { Step = "done", Since = null, Detail = $"serves {done.Release?.Version}, {Shown.Time(done.Elapsed)}" });
                break;
            case HostFailed failed:
                Change(failed.Host, row => row with { Step = "FAILED", Since = null, Detail = failed.Failure.Error.Message.Split('\n')[0] });
                break;
        }

        if (item is PlanMade or StepStarted or DeploymentEnded) return;
        foreach (var line in EventText.Of(item))
        {
            lines.Enqueue(line);
            if (lines.Count > LinesShown) lines.Dequeue();
        }
    }

    private void Change(HostName host, Func<Row, Row> change) => rows[host] = change(rows.GetValueOrDefault(host) ?? new Row("-", "", null, ""));

    private IRenderable Picture()
    {
        if (rows.Count == 0) return new Text(Beginning);
        var table = new Table().Border(TableBorder.Rounded).AddColumns("HOST", "WAVE", "STEP", "FOR", "");
        foreach (var (host, row) in rows)
        {
            var elapsed = row.Since is { } since ? Shown.Time(time.GetElapsedTime(since)) : "";
            table.AddRow(new[] { host.Value, row.Wave, row.Step, elapsed, row.Detail }.Select(Markup.Escape).ToArray());
        }

        return new Rows([table, .. lines.Select(line => (IRenderable)new Text(line))]);
    }

    private static string? Describe(StepProgress progress) => progress switch
    {
        StepProgress.Message message => message.Text,
        StepProgress.Output output => output.Text,
        StepProgress.Upload upload => $"{Shown.Bytes(upload.Sent)} of {Shown.Bytes(upload.Total)} sent",
        StepProgress.Draining draining => $"{Shown.Sessions(draining.Sessions)} left",
        StepProgress.Watched watched => watched.Figures,
        StepProgress.Health { IsHealthy: true } => "healthy, and has to stay so",
        StepProgress.Health { LastFailure.Length: > 0 } health => $"not healthy yet: {health.LastFailure}",
        StepProgress.Health health => $"checks that succeeded in a row: {health.Successes}",
        _ => null,
    };

    /// <param name="Since">A timestamp of the clock that nobody sets.</param>
    private sealed record Row(string Wave, string Step, long? Since, string Detail);
}
