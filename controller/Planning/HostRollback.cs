using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>What a host is to go back to.</summary>
/// <param name="Host">A host of the manifest.</param>
/// <param name="To">The release it ran before; null when nothing ran there.</param>
/// <param name="Why">Why it goes back, for people: <c>web2 failed at start</c>.</param>
/// <param name="Slot">The settings it ran with before; null: those of the manifest.</param>
public sealed record HostRollback(HostName Host, ReleaseId? To, string Why, SlotSettings? Slot = null);
