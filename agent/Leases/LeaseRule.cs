using Decant.Agent.Operations;

namespace Decant.Agent.Leases;

/// <summary>What a call that changes something has to do with leases.</summary>
internal enum LeaseRule
{
    /// <summary>Refused while somebody else holds the app's lease.</summary>
    Respects,

    /// <summary>Done also while somebody else holds it; a token that is not the newest is refused all the same.</summary>
    OnlyNotOlder,
}

/// <summary>The rule of each kind of operation.</summary>
internal static class LeaseRules
{
    /// <summary>The rule. Whatever is not named here respects leases.</summary>
    public static LeaseRule Of(OperationKind kind) => kind switch
    {
        // A look into the app, by a person, is wanted most while a deployment runs; what he does there is not the agent's to judge.
        OperationKind.Evaluate => LeaseRule.OnlyNotOlder,
        OperationKind.Unlock => LeaseRule.OnlyNotOlder,
        _ => LeaseRule.Respects,
    };
}
