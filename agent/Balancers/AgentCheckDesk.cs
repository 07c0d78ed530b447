using System.Net;
using Decant.Agent.Instances;

namespace Decant.Agent.Balancers;

/// <summary>
/// What HAProxies are told when they ask, and which of them know it: survives the agent. One who asked within <see cref="Remembered"/>
/// counts as a HAProxy that sends traffic.
/// </summary>
internal sealed class AgentCheckDesk
{
    /// <summary>So long after it last asked, a HAProxy is still taken to send traffic.</summary>
    public static readonly TimeSpan Remembered = TimeSpan.FromSeconds(60);

    /// <summary>So many are remembered; others get no answer: whoever invents names must not fill the agent's memory.</summary>
    public const int MaxAskers = 500;

    private readonly Lock gate = new();
    private readonly AgentCheckStore store;
    private readonly CheckedSlots slots;
    private readonly IReadOnlyList<IPAddress> expected;
    private readonly TimeProvider time;
    private readonly Dictionary<InstanceKey, AgentCheckAnswer> answers;
    private readonly Dictionary<(InstanceKey Slot, string Asker), Asked> askers = [];

    /// <summary>Opens the desk.</summary>
    /// <param name="store">What was said before.</param>
    /// <param name="slots">The slots of this host.</param>
    /// <param name="expected">Addresses of HAProxies that must have asked, by agent.yml; empty: whoever asks.</param>
    /// <param name="time">The clock.</param>
    public AgentCheckDesk(AgentCheckStore store, CheckedSlots slots, IReadOnlyList<IPAddress> expected, TimeProvider time)
    {
        (this.store, this.slots, this.expected, this.time) = (store, slots, expected, time);
        answers = store.Answers().ToDictionary();
        // They asked the agent that was here before: for as long as they are remembered they may still do as that one said.
        foreach (var (key, asker) in store.Askers()) askers[(key, asker)] = new Asked(time.GetTimestamp(), 0, false);
    }

    /// <summary>The slots of this host, and those that HAProxies ask for although nothing was ever started in them.</summary>
    public IReadOnlyList<CheckedSlot> Slots()
    {
        var there = slots();
        lock (gate)
        {
            Forget();
            var unknown = askers.Keys.Select(k => k.Slot).Distinct().Where(k => there.All(s => s.Key != k));
            return [.. there.Concat(unknown.Select(k => new CheckedSlot(k, 0, "nothing was started here yet"))).OrderBy(s => s.Key.ToString(), StringComparer.Ordinal)];
        }
    }

    /// <summary>What is said of a slot.</summary>
    public AgentCheckAnswer Answer(InstanceKey key)
    {
        lock (gate) return answers.GetValueOrDefault(key, AgentCheckAnswer.Default);
    }

    /// <summary>Says something else of a slot from now on, also after the agent's end.</summary>
    public void Set(InstanceKey key, MemberState state, int weight)
    {
        lock (gate)
        {
            var answer = new AgentCheckAnswer(state, weight, answers.GetValueOrDefault(key, AgentCheckAnswer.Default).Version + 1);
            store.Save(key, answer);
            answers[key] = answer;
        }
    }

    /// <summary>Somebody asks.</summary>
    /// <returns>The words, and what to call when they have arrived; true is returned by that when this asker is new. Null: no answer.</returns>
    public (string Words, Func<bool> Arrived)? Ask(InstanceKey key, string asker)
    {
        lock (gate)
        {
            Forget();
            if (askers.Count >= MaxAskers && !askers.ContainsKey((key, asker))) return null;
        }

        var whyDown = slots().FirstOrDefault(s => s.Key == key) is { } slot ? slot.WhyDown : "nothing was started here yet";
        var answer = Answer(key);
        return (answer.Words(whyDown), Arrived);

        bool Arrived()
        {
            lock (gate)
            {
                Forget();
                var isNew = !askers.ContainsKey((key, asker));
                if (isNew) store.SaveAsker(key, asker);
                askers[(key, asker)] = new Asked(time.GetTimestamp(), answer.Version, !answer.IsOut && whyDown is null);
                return isNew;
            }
        }
    }

    /// <summary>Those who ask for a slot, or are expected to.</summary>
    public IReadOnlyList<Asker> Askers(InstanceKey key)
    {
        lock (gate)
        {
            Forget();
            var version = answers.GetValueOrDefault(key, AgentCheckAnswer.Default).Version;
            var known = askers.Where(a => a.Key.Slot == key)
                .Select(a => new Asker(a.Key.Asker, a.Value.Version >= version, a.Value.Version >= version && a.Value.ToldUp)).ToList();
            // Somebody else's address may be an asker's name's beginning: they are apart by a space.
            var missing = expected.Select(e => e.ToString()).Where(e => known.TrueForAll(k => k.Name != e && !k.Name.StartsWith(e + " ", StringComparison.Ordinal)));
            return [.. known.Concat(missing.Select(e => new Asker(e, false, false))).OrderBy(a => a.Name, StringComparer.Ordinal)];
        }
    }

    private void Forget()
    {
        foreach (var (slot, asker) in askers.Where(a => time.GetElapsedTime(a.Value.At) > Remembered).Select(a => a.Key).ToList())
        {
            askers.Remove((slot, asker));
            store.DeleteAsker(slot, asker);
        }
    }

    private readonly record struct Asked(long At, long Version, bool ToldUp);
}

/// <summary>A HAProxy that asks for a slot.</summary>
/// <param name="Name">Its address, and the name that it gives itself.</param>
/// <param name="Knows">It was told the latest.</param>
/// <param name="ToldUp">It was told the latest, and that the member is up.</param>
internal sealed record Asker(string Name, bool Knows, bool ToldUp);
