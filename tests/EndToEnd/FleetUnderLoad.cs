using Decant.EndToEnd.Harness;
using Decant.Load;

namespace Decant.EndToEnd;

/// <summary>Does something to a fleet while requests of every kind flow through its balancer.</summary>
internal static class FleetUnderLoad
{
    // Enough that a second without an answer cannot go unnoticed, and little enough that two busy cores manage.
    private const int Steady = 60;

    /// <summary>The account of every request.</summary>
    /// <param name="fleet">Its balancer gets the load.</param>
    /// <param name="during">Done while the load goes on; the load is steady when it begins, and goes on a little after it.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="slow">How long slow answers take, which is what drains wait for; 1 s unless told.</param>
    /// <param name="rate">Small answers a second, a quarter of them on connections of their own.</param>
    /// <param name="websockets">Clients that each keep a websocket.</param>
    /// <param name="through">Gets the load instead of the fleet's balancer.</param>
    public static async Task<LoadReport> UnderLoadAsync(
        this TestFleet fleet,
        Func<LoadRun, Task> during,
        CancellationToken cancellation,
        TimeSpan? slow = null,
        double rate = 100,
        int websockets = 0,
        Uri? through = null)
        => await UnderLoadAsync(through ?? fleet.Url, during, cancellation, slow, rate, websockets);

    /// <summary>The same, for a balancer anywhere.</summary>
    public static async Task<LoadReport> UnderLoadAsync(
        Uri balancer, Func<LoadRun, Task> during, CancellationToken cancellation, TimeSpan? slow = null, double rate = 100, int websockets = 0)
    {
        var load = LoadRun.Start(new LoadOptions(
            balancer,
            FastRate: rate * 3 / 4,
            NewConnectionRate: rate / 4,
            SlowRate: 3,
            SlowTime: slow ?? TimeSpan.FromSeconds(1),
            StreamRate: 2,
            UploadRate: 2,
            Websockets: websockets));
        LoadReport report;
        try
        {
            await AnsweredAsync(load, cancellation);
            await during(load);
            await AnsweredAsync(load, cancellation);
        }
        finally
        {
            report = await load.StopAsync();
        }

        return report;
    }

    private static Task AnsweredAsync(LoadRun load, CancellationToken cancellation)
    {
        var enough = load.Succeeded + Steady;
        return Eventually.TrueAsync(() => Task.FromResult(load.Succeeded >= enough), $"{Steady} more requests succeed", cancellation);
    }
}
