using Tmds.DBus.Protocol;

namespace Decant.Agent.Supervision;

/// <summary>Follows one unit by its signals: what it is now, its end, and whether somebody asked systemd for something about it.</summary>
/// <param name="unit">Its name.</param>
/// <param name="disposed">Told when nobody follows it any more.</param>
internal sealed class UnitWatch(string unit, Action<UnitWatch> disposed) : IDisposable
{
    private readonly Lock gate = new();
    private readonly List<IReadOnlyDictionary<string, VariantValue>> sinceArmed = [];
    private readonly TaskCompletionSource over = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private UnitState state = new();
    private IDisposable? subscription;
    private bool armed;
    private bool known;

    /// <summary>The unit.</summary>
    public string Unit => unit;

    /// <summary>Completes when nothing of it runs any more, once <see cref="Arm"/> was called.</summary>
    public Task Over => over.Task;

    /// <summary>Completes when the connection to the bus breaks: no signal comes any more.</summary>
    public Task ConnectionLost => lost.Task;

    /// <summary>Whether a job for it began since <see cref="Arm"/>.</summary>
    public bool HadJob { get; private set; }

    /// <summary>As it is, by the signals so far.</summary>
    public UnitState State
    {
        get
        {
            lock (gate) return state;
        }
    }

    /// <summary>It was started: its end is waited for from here on, and jobs are others'.</summary>
    public void Arm()
    {
        lock (gate)
        {
            armed = true;
            HadJob = false;
        }
    }

    /// <summary>It was asked for, after <see cref="Arm"/>.</summary>
    /// <param name="asked">The answer; signals that came meanwhile may be newer.</param>
    public void Asked(UnitState asked)
    {
        lock (gate)
        {
            // One that is over may be unloaded already: then only the signals have told how it ended.
            var from = asked is { IsOver: true, Ended: null } && state.Ended is not null ? state : asked;
            state = sinceArmed.Aggregate(from, (older, changed) => older.With(changed));
            sinceArmed.Clear();
            known = true;
            if (state.IsOver) over.TrySetResult();
        }
    }

    /// <summary>Some of its properties have changed.</summary>
    public void Changed(IReadOnlyDictionary<string, VariantValue> changed)
    {
        lock (gate)
        {
            state = state.With(changed);
            if (!armed) return;
            if (!known) sinceArmed.Add(changed);
            if (state.IsOver) over.TrySetResult();
        }
    }

    /// <summary>A job for it began.</summary>
    public void JobBegan()
    {
        lock (gate) HadJob = true;
    }

    /// <summary>No signal will come.</summary>
    public void Lost() => lost.TrySetResult();

    /// <summary>What it is subscribed by.</summary>
    public void Subscribed(IDisposable by) => subscription = by;

    /// <inheritdoc/>
    public void Dispose()
    {
        subscription?.Dispose();
        disposed(this);
    }
}
