using Decant.Agent.Instances;
using Decant.Agent.State;
using Decant.Names;
using LiteDB;

namespace Decant.Agent.Balancers;

/// <summary>Answers to HAProxies on disk, and who asks: the one place that knows how they look in LiteDB.</summary>
internal sealed class AgentCheckStore(AgentDatabase database)
{
    private readonly StoredCollection answers = database.Collection("agent_check");
    private readonly StoredCollection askers = database.Collection("agent_check_askers");

    /// <summary>Writes what is said of a slot.</summary>
    public void Save(InstanceKey key, AgentCheckAnswer answer) => answers.Upsert(new BsonDocument
    {
        ["_id"] = key.ToString(),
        ["app"] = key.App.Value,
        ["slot"] = key.Slot.Value,
        ["state"] = answer.State.ToString(),
        ["weight"] = answer.Weight,
    });

    /// <summary>Everything that was said.</summary>
    public IReadOnlyDictionary<InstanceKey, AgentCheckAnswer> Answers() => answers.FindAll().ToDictionary(
        d => Key(d), d => new AgentCheckAnswer(Enum.Parse<MemberState>(d["state"].AsString), d["weight"], AgentCheckAnswer.Default.Version));

    /// <summary>Writes that somebody asks for a slot.</summary>
    public void SaveAsker(InstanceKey key, string asker) => askers.Upsert(new BsonDocument
    {
        ["_id"] = $"{key} {asker}",
        ["app"] = key.App.Value,
        ["slot"] = key.Slot.Value,
        ["asker"] = asker,
    });

    /// <summary>Forgets somebody who asks no longer.</summary>
    public void DeleteAsker(InstanceKey key, string asker) => askers.Delete([$"{key} {asker}"]);

    /// <summary>Everybody who asks, each with the slot.</summary>
    public IReadOnlyList<(InstanceKey Key, string Asker)> Askers() => [.. askers.FindAll().Select(d => (Key(d), d["asker"].AsString))];

    private static InstanceKey Key(BsonDocument document) => new(AppName.Parse(document["app"]), SlotName.Parse(document["slot"]));
}
