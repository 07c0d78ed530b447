using Decant.Names;

namespace Decant.Agent.Api;

/// <summary>The instances of this host as the contract has them.</summary>
internal interface IInstanceList
{
    /// <summary>Instances of an app; null: of all.</summary>
    IReadOnlyList<V1.Instance> List(AppName? app);
}
