using System.Collections.Concurrent;

namespace Decant.Agent.Tests.Balancers;

/// <summary>Requests from several clients, one after the other each, until it is stopped.</summary>
internal sealed class Traffic : IAsyncDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentQueue<string> failures = [];
    private readonly ConcurrentDictionary<string, int> answers = [];
    private readonly Task clients;

    public Traffic(Func<Task<string>> request, int clients = 8)
        => this.clients = Task.WhenAll(Enumerable.Range(0, clients).Select(_ => Task.Run(() => AskAsync(request))));

    /// <summary>What went wrong, request by request.</summary>
    public IReadOnlyCollection<string> Failures => failures;

    /// <summary>How many were answered by a member, so far.</summary>
    public int By(string member) => answers.GetValueOrDefault(member);

    /// <summary>Waits until a member answers (once more).</summary>
    public Task ReachesAsync(string member, int more = 20)
    {
        var wanted = By(member) + more;
        return Eventually.TrueAsync(() => By(member) >= wanted, $"{more} answers by {member}; failed: {string.Join("; ", failures.Take(3))}");
    }

    /// <summary>Stops; returns when the last request has ended.</summary>
    public async Task StopAsync()
    {
        await stop.CancelAsync();
        await clients;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        stop.Dispose();
    }

    private async Task AskAsync(Func<Task<string>> request)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                answers.AddOrUpdate(await request(), 1, (_, n) => n + 1);
            }
            catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException)
            {
                failures.Enqueue(exception.Message);
            }

            await Task.Delay(5);
        }
    }
}
