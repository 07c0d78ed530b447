using System.Collections.Concurrent;
using Decant.Agent.Supervision;

namespace Decant.Agent.Instances;

/// <summary>The slots of this host.</summary>
internal sealed class InstanceRegistry : IDisposable
{
    private readonly InstanceParts parts;
    private readonly ILogger<InstanceSlot> slotLogger;
    private readonly ConcurrentDictionary<InstanceKey, InstanceSlot> slots = new();

    /// <summary>No slots yet.</summary>
    public InstanceRegistry(InstanceParts parts, ILogger<InstanceSlot> slotLogger)
    {
        this.parts = parts;
        this.slotLogger = slotLogger;
        parts.Supervisor.StartedByOthers += TakeOver;
    }

    /// <summary>Every slot that was ever used, by name.</summary>
    public IReadOnlyList<InstanceSlot> All() => [.. slots.Values.OrderBy(s => s.Key.ToString(), StringComparer.Ordinal)];

    /// <summary>A slot.</summary>
    /// <exception cref="Errors.OperatorException">SLOT_NOT_FOUND.</exception>
    public InstanceSlot Get(InstanceKey key) => slots.TryGetValue(key, out var slot) ? slot : throw InstanceErrors.SlotNotFound(key);

    /// <summary>A slot; null when nothing was ever started in it.</summary>
    public InstanceSlot? TryGet(InstanceKey key) => slots.GetValueOrDefault(key);

    /// <summary>A slot, made by its first start.</summary>
    public InstanceSlot GetOrAdd(InstanceRecord first) => slots.GetOrAdd(first.Key, _ => new InstanceSlot(parts, first, slotLogger));

    /// <summary>A slot's output.</summary>
    public IInstanceLog Log(InstanceKey key) => parts.Supervisor.Log(Get(key).Key);

    /// <summary>Takes over what an earlier agent left running, and starts again what should run and does not. Called once.</summary>
    public Task ResumeAllAsync(CancellationToken cancellation)
        => Task.WhenAll(parts.Store.All().Select(record => GetOrAdd(record).ResumeAsync(cancellation)));

    /// <summary>Writes every slot again: what was written before is lost.</summary>
    public void SaveAll()
    {
        foreach (var slot in slots.Values) parts.Store.Save(slot.Snapshot().Record);
    }

    /// <summary>The agent stops; what runs goes on.</summary>
    public void Dispose()
    {
        parts.Supervisor.StartedByOthers -= TakeOver;
        foreach (var slot in slots.Values) slot.Dispose();
    }

    private void TakeOver(InstanceKey key)
    {
        if (TryGet(key) is { } slot) _ = Task.Run(slot.TakeOverAsync);
    }
}
