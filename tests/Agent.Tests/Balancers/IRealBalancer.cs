using Decant.Agent.Balancers;

namespace Decant.Agent.Tests.Balancers;

/// <summary>A balancer's real program with one backend, <c>shop</c>, as the contract tests want it.</summary>
internal interface IRealBalancer : IAsyncDisposable
{
    /// <summary>The agent's side of it; each is as that of another agent.</summary>
    IBalancer Open();

    /// <summary>A request through its frontend; answers with the name of the member that it went to, and throws when it failed.</summary>
    Task<string> GetAsync(string path);

    /// <summary>What its operator does to load its configuration again.</summary>
    Task ReloadAsync();

    /// <summary>kill -9 of all its processes.</summary>
    Task KillAsync();
}
