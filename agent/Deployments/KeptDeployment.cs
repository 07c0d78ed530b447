using Decant.Names;

namespace Decant.Agent.Deployments;

/// <summary>A deployment's record, kept for whichever controller goes on with it. What it says is the controllers' matter.</summary>
/// <param name="Id">The deployment.</param>
/// <param name="App">Its app.</param>
/// <param name="Attempt">How often it was begun: 1, or more.</param>
/// <param name="Revision">Grows with each writing.</param>
/// <param name="Token">Of the lease under which it was put.</param>
/// <param name="PutAt">Wall clock, for people.</param>
/// <param name="Content">The record as it came.</param>
internal sealed record KeptDeployment(
    DeploymentId Id, AppName App, uint Attempt, uint Revision, FencingToken Token, DateTimeOffset PutAt, ReadOnlyMemory<byte> Content)
{
    /// <summary>Somebody has gone on since the other was written.</summary>
    public bool IsNewerThan(KeptDeployment other) => (Attempt, Revision).CompareTo((other.Attempt, other.Revision)) > 0;
}
