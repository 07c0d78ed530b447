using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>Two controllers, each on a machine of its own, and one fleet of two hosts, which serve 1.0.0 when a test begins.</summary>
/// <param name="minHealthy">Long enough to do something meanwhile, on each host.</param>
public abstract class TwoMachines(string minHealthy)
{
    private protected const int Refused = 6;

    private protected TestFleet Fleet { get; private set; } = null!;

    [OneTimeSetUp]
    public async Task StartFleet()
    {
        Fleet = await TestFleet.StartAsync(2, CancellationToken.None);
        await Fleet.DeployedAsync("1.0.0", CancellationToken.None);
    }

    [SetUp]
    public async Task ServeOneRelease()
    {
        await Fleet.ServesAsync("1.0.0", CancellationToken.None);
        Fleet.WriteManifest($"min_healthy: {minHealthy}");
    }

    [OneTimeTearDown]
    public async Task TakeDown() => await Fleet.DisposeAsync();

    /// <summary>Starts a deployment on the first machine; returns when it waits for the new release on the first host.</summary>
    private protected async Task<RunningProgram> InTheMiddleAsync(string archive, CancellationToken cancellation)
    {
        var deployment = Fleet.StartDecant("deploy", archive, "--json");
        try
        {
            await deployment.StepBegunAsync("web1/await-healthy", cancellation);
            return deployment;
        }
        catch
        {
            await deployment.DisposeAsync();
            throw;
        }
    }
}
